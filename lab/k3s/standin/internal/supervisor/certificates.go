package supervisor

import (
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"k3s-standin/internal/pki"
)

const controllerUser = "system:k3s-controller"

// servingKubelet signs the certificate with which a node's kubelet serves.
func (s *Supervisor) servingKubelet(response http.ResponseWriter, request *http.Request) {
	node, ok := s.verifiedNode(response, request)
	if !ok {
		return
	}
	sans := []string{node, "localhost", "127.0.0.1", "::1"}
	for _, address := range strings.Split(request.Header.Get("k3s-Node-IP"), ",") {
		if address == "" {
			continue
		}
		if net.ParseIP(address) == nil {
			SendError(response, http.StatusInternalServerError, "invalid node IP address "+address)
			return
		}
		sans = append(sans, address)
	}
	s.sign(s.ServerCA, pki.Profile{CommonName: node, SANs: sans, Usages: pki.Server})(response, request)
}

// clientKubelet signs the certificate with which a node's kubelet calls the API.
func (s *Supervisor) clientKubelet(response http.ResponseWriter, request *http.Request) {
	if node, ok := s.verifiedNode(response, request); ok {
		s.sign(s.ClientCA, pki.Profile{CommonName: "system:node:" + node, Organizations: []string{groupNodes}, Usages: pki.Client})(response, request)
	}
}

// sign returns a certificate for the public key of the posted request, whose other content is ignored.
func (s *Supervisor) sign(authority *pki.Authority, profile pki.Profile) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		posted, err := readRequest(request)
		if err != nil {
			SendError(response, http.StatusBadRequest, err.Error())
			return
		}
		signed, err := authority.Sign(profile, posted.PublicKey)
		if err != nil {
			SendError(response, http.StatusInternalServerError, err.Error())
			return
		}
		_, _ = response.Write(signed)
	}
}

func readRequest(request *http.Request) (*x509.CertificateRequest, error) {
	if request.Method != http.MethodPost {
		return nil, errors.New("a certificate request is to be posted")
	}
	der, err := io.ReadAll(io.LimitReader(request.Body, 1<<16))
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	return parsed, parsed.CheckSignature()
}
