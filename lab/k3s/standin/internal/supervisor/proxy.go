package supervisor

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	stdlog "log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// apiProxy forwards everything else to the API server. For a caller with a client certificate it sets the headers of an
// authenticating proxy, over a connection whose certificate makes the API server trust them. A request with a bearer
// token is forwarded unchanged, over a connection without that certificate.
func (s *Supervisor) apiProxy() (http.Handler, error) {
	certificate, err := tls.LoadX509KeyPair(s.ProxyBase+".crt", s.ProxyBase+".key")
	if err != nil {
		return nil, err
	}
	ca, err := s.ServerCA.PEM()
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	target := &url.URL{Scheme: "https", Host: s.APIServer}
	trusted := reverse(target, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}})
	plain := reverse(target, &tls.Config{RootCAs: roots})
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		// Only this proxy may set the caller's identity.
		for key := range request.Header {
			if strings.HasPrefix(key, "X-Remote-") {
				request.Header.Del(key)
			}
		}
		id, ok := s.certificateIdentity(request)
		if !ok {
			plain.ServeHTTP(response, request)
			return
		}
		request.Header.Set("X-Remote-User", id.user)
		request.Header["X-Remote-Group"] = id.groups
		trusted.ServeHTTP(response, request)
	}), nil
}

func reverse(target *url.URL, config *tls.Config) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(proxied *httputil.ProxyRequest) {
			proxied.SetURL(target)
			proxied.Out.Host = proxied.In.Host
			proxied.SetXForwarded()
		},
		FlushInterval: -1, // watches and logs are streams
		ErrorLog:      stdlog.New(io.Discard, "", 0),
		ErrorHandler: func(response http.ResponseWriter, _ *http.Request, err error) {
			SendError(response, http.StatusServiceUnavailable, "apiserver not ready")
		},
		// HTTP/1.1 only: exec, attach and port-forward upgrade their connection.
		Transport: &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 64, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}},
	}
}
