// Package supervisor serves K3s' port 6443: the join interface below /v1-k3s, /ping and /cacerts, and the Kubernetes
// API behind it.
package supervisor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"k8s.io/client-go/kubernetes"

	"k3s-standin/internal/pki"
)

// ClusterConfig is what a joining node gets; the names are K3s'. Fields with a flag must be the same on all servers.
type ClusterConfig struct {
	ClusterIPRange            string `cli:"cluster-cidr"`
	ServiceIPRange            string `cli:"service-cidr"`
	ClusterDNS                string `cli:"cluster-dns"`
	ClusterDomain             string `cli:"cluster-domain"`
	FlannelBackend            string `cli:"flannel-backend"`
	EgressSelectorMode        string `cli:"egress-selector-mode"`
	DisableCCM                bool   `cli:"disable-cloud-controller"`
	DisableHelmController     bool   `cli:"disable-helm-controller"`
	DisableNPC                bool   `cli:"disable-network-policy"`
	DisableServiceLB          bool   `cli:"disable-service-lb"`
	EncryptSecrets            bool   `cli:"secrets-encryption"`
	DisableKubeProxy          bool
	HTTPSPort, SupervisorPort int
	// ClusterInit tells a joining server whether there is an etcd to join.
	ClusterInit bool
}

// Options of a supervisor.
type Options struct {
	Address  string
	ClientCA *pki.Authority
	ServerCA *pki.Authority
	// ServingBase names the certificate and key of the port, without their extension.
	ServingBase string
	// ProxyBase names the certificate with which the API server trusts our header with the caller's identity.
	ProxyBase string
	// APIServer is the API server's own address, on loopback.
	APIServer string
	Config    ClusterConfig
	// NodeName is this server's own node, whose password is checked before the API is there.
	NodeName string
	// Extra are more handlers, for callers with the server token.
	Extra map[string]http.HandlerFunc
	// Local are handlers that every caller on this machine may use, too.
	Local map[string]http.HandlerFunc
}

// Supervisor is a running supervisor.
type Supervisor struct {
	Options
	clientRoots *x509.CertPool
	client      kubernetes.Interface
	mu          sync.RWMutex
	serverToken string
	agentToken  string
	http        *http.Server
}

// Start listens. Until a call of SetClient, it answers requests for the API with 503.
func Start(options Options, serverToken, agentToken string) (*Supervisor, error) {
	s := &Supervisor{Options: options, clientRoots: x509.NewCertPool(), serverToken: serverToken, agentToken: agentToken}
	ca, err := options.ClientCA.PEM()
	if err != nil {
		return nil, err
	}
	s.clientRoots.AppendCertsFromPEM(ca)
	serving, err := tls.LoadX509KeyPair(options.ServingBase+".crt", options.ServingBase+".key")
	if err != nil {
		return nil, err
	}
	proxy, err := s.apiProxy()
	if err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Addr: options.Address, Handler: s.routes(proxy), ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:  stdlog.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{serving}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12},
	}
	listening := make(chan error, 1)
	go func() { listening <- s.http.ListenAndServeTLS("", "") }()
	select {
	case err := <-listening:
		return nil, fmt.Errorf("supervisor: %w", err)
	case <-time.After(50 * time.Millisecond):
	}
	go func() {
		if err := <-listening; !errors.Is(err, http.ErrServerClosed) {
			logrus.Fatalf("supervisor: %v", err)
		}
	}()
	return s, nil
}

// SetClient enables what needs the Kubernetes API.
func (s *Supervisor) SetClient(client kubernetes.Interface) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = client
}

// Client returns the Kubernetes client, or nil if the API is not up.
func (s *Supervisor) Client() kubernetes.Interface {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.client
}

// ServerToken returns the current password of servers.
func (s *Supervisor) ServerToken() string { s.mu.RLock(); defer s.mu.RUnlock(); return s.serverToken }

// AgentToken returns the current password of agents.
func (s *Supervisor) AgentToken() string { s.mu.RLock(); defer s.mu.RUnlock(); return s.agentToken }

// SetTokens replaces the passwords, after a rotation.
func (s *Supervisor) SetTokens(server, agent string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serverToken, s.agentToken = server, agent
}

// Stop closes the port.
func (s *Supervisor) Stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = s.http.Shutdown(ctx)
	_ = s.http.Close()
}

func (s *Supervisor) routes(api http.Handler) http.Handler {
	const prefix = "/v1-k3s"
	mux := http.NewServeMux()
	mux.HandleFunc("/ping", func(response http.ResponseWriter, _ *http.Request) { fmt.Fprint(response, "pong") })
	mux.HandleFunc("/cacerts", s.file(s.ServerCA))
	agent := func(path string, handler http.HandlerFunc) {
		mux.HandleFunc(prefix+path, s.allow(handler, groupAgent, groupNodes, groupBoot))
	}
	agent("/config", s.config)
	agent("/apiservers", s.apiServers)
	agent("/readyz", s.readyz)
	agent("/client-ca.crt", s.file(s.ClientCA))
	agent("/server-ca.crt", s.file(s.ServerCA))
	agent("/serving-kubelet.crt", s.servingKubelet)
	agent("/client-kubelet.crt", s.clientKubelet)
	agent("/client-kube-proxy.crt", s.sign(s.ClientCA, pki.Profile{CommonName: "system:kube-proxy", Usages: pki.Client}))
	agent("/client-k3s-controller.crt", s.sign(s.ClientCA, pki.Profile{CommonName: controllerUser, Usages: pki.Client}))
	for path, handler := range s.Extra {
		mux.HandleFunc(path, s.allow(handler, groupServer))
	}
	for path, handler := range s.Local {
		mux.HandleFunc(path, s.allowLocal(handler, groupServer))
	}
	mux.HandleFunc("/", func(response http.ResponseWriter, request *http.Request) {
		if strings.HasPrefix(request.URL.Path, prefix) {
			http.NotFound(response, request)
			return
		}
		api.ServeHTTP(response, request)
	})
	return mux
}

func (s *Supervisor) file(authority *pki.Authority) http.HandlerFunc {
	return func(response http.ResponseWriter, _ *http.Request) {
		text, err := authority.PEM()
		if err != nil {
			SendError(response, http.StatusInternalServerError, err.Error())
			return
		}
		response.Header().Set("Content-Type", "text/plain")
		_, _ = response.Write(text)
	}
}

func (s *Supervisor) config(response http.ResponseWriter, _ *http.Request) {
	answer(response, s.Config)
}

func (s *Supervisor) readyz(response http.ResponseWriter, _ *http.Request) {
	if s.Client() == nil {
		SendError(response, http.StatusServiceUnavailable, coreNotReady)
		return
	}
	fmt.Fprint(response, "ok")
}

func answer(response http.ResponseWriter, value any) {
	response.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(response).Encode(value)
}
