package token

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const requestTimeout = 10 * time.Second

// Client calls one supervisor, whose CA matches the token.
type Client struct {
	Token
	BaseURL string
	// CA is the cluster's CA as the supervisor sent it, in PEM.
	CA          []byte
	Certificate *tls.Certificate
}

// StatusError is an answer other than 2xx.
type StatusError struct {
	Code    int
	message string
}

func (e *StatusError) Error() string { return e.message }

// Connect downloads the supervisor's CA without trust, compares its hash with the token's, and trusts only this CA from
// then on. It sends no credential before that. certFile and keyFile may name files that don't exist (yet).
func Connect(server, text, certFile, keyFile string) (*Client, error) {
	parsed, err := Parse(text)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(server)
	if err != nil {
		return nil, fmt.Errorf("Invalid server url, failed to parse: %s: %w", server, err)
	}
	if base.Scheme != "https" {
		return nil, fmt.Errorf("only https:// URLs are supported, invalid scheme: %s", server)
	}
	client := &Client{Token: parsed, BaseURL: strings.TrimRight(server, "/")}
	if certificate, err := tls.LoadX509KeyPair(certFile, keyFile); err == nil {
		client.Certificate = &certificate
	}
	untrusted := &http.Client{Timeout: requestTimeout, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	request, _ := http.NewRequest(http.MethodGet, client.BaseURL+"/cacerts", nil)
	if client.CA, err = do(untrusted, request); err != nil {
		return nil, fmt.Errorf("failed to get CA certs: %w", err)
	}
	if parsed.CAHash == "" {
		logrus.Warn("Cluster CA certificate is not trusted by the host CA bundle, but the token does not include a CA hash. " +
			"Use the full token from the server's node-token file to enable Cluster CA validation.")
	} else if hash := HashCA(client.CA); hash != parsed.CAHash {
		return nil, fmt.Errorf("token CA hash does not match the Cluster CA certificate hash: %s != %s", parsed.CAHash, hash)
	}
	if _, err := do(client.http(client.Certificate != nil), request.Clone(request.Context())); err != nil {
		return nil, fmt.Errorf("CA cert validation failed: %w", err)
	}
	return client, nil
}

// Get reads a path of the supervisor.
func (c *Client) Get(path string) ([]byte, error) {
	return c.Do(http.MethodGet, path, nil, nil)
}

// Do sends a request with the client certificate, if there is one, and the token. If the server refuses the certificate
// with 401 (its Node is gone), it tries again with only the token, as K3s does.
func (c *Client) Do(method, path string, body []byte, header http.Header) ([]byte, error) {
	answer, err := c.send(method, path, body, header, c.Certificate != nil)
	var status *StatusError
	if c.Certificate != nil && asStatus(err, &status) && status.Code == http.StatusUnauthorized {
		logrus.Info("Node authorization rejected, retrying without client certificate authentication")
		return c.send(method, path, body, header, false)
	}
	return answer, err
}

func (c *Client) send(method, path string, body []byte, header http.Header, withCertificate bool) ([]byte, error) {
	request, err := http.NewRequest(method, c.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for key, values := range header {
		request.Header[key] = values
	}
	if c.Bootstrap != "" {
		request.Header.Set("Authorization", "Bearer "+c.Bootstrap)
	} else {
		request.SetBasicAuth(c.User, c.Password)
	}
	return do(c.http(withCertificate), request)
}

func (c *Client) http(withCertificate bool) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.CA)
	config := &tls.Config{RootCAs: roots}
	if withCertificate {
		config.Certificates = []tls.Certificate{*c.Certificate}
	}
	return &http.Client{Timeout: requestTimeout, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config}}
}

func do(client *http.Client, request *http.Request) ([]byte, error) {
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 == 2 {
		return body, nil
	}
	message := fmt.Sprintf("%s: %s", request.URL, response.Status)
	var status metav1.Status
	if json.Unmarshal(body, &status) == nil && status.Kind == "Status" {
		message = status.Message
	}
	return nil, &StatusError{Code: response.StatusCode, message: message}
}

func asStatus(err error, target **StatusError) bool {
	status, ok := err.(*StatusError)
	if ok {
		*target = status
	}
	return ok
}
