package supervisor

import (
	"context"
	"crypto/subtle"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Groups that a caller of the supervisor may be in, as K3s names them.
const (
	groupServer = "k3s:server"
	groupAgent  = "k3s:agent"
	groupNodes  = "system:nodes"
	groupBoot   = "system:bootstrappers:k3s:default-node-token"
)

type identity struct {
	user   string
	groups []string
}

type identityKey struct{}

func identityOf(request *http.Request) (identity, bool) {
	id, ok := request.Context().Value(identityKey{}).(identity)
	return id, ok
}

// certificateIdentity returns the user of a client certificate that the cluster's client CA signed.
func (s *Supervisor) certificateIdentity(request *http.Request) (identity, bool) {
	if request.TLS == nil || len(request.TLS.PeerCertificates) == 0 {
		return identity{}, false
	}
	leaf := request.TLS.PeerCertificates[0]
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: s.clientRoots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return identity{}, false
	}
	return identity{leaf.Subject.CommonName, leaf.Subject.Organization}, true
}

// authenticate returns the caller's identity, by certificate or else by the token's password. known is false if there
// is no valid credential; wrong tells that the credential is wrong.
func (s *Supervisor) authenticate(request *http.Request) (id identity, known, wrong bool) {
	if id, ok := s.certificateIdentity(request); ok {
		return id, true, false
	}
	if user, password, ok := request.BasicAuth(); ok {
		switch {
		case user == "server" && equal(password, s.ServerToken()):
			return identity{user, []string{groupServer}}, true, false
		case user == "node" && equal(password, s.AgentToken()):
			return identity{user, []string{groupAgent}}, true, false
		}
		return identity{}, false, true
	}
	if bearer, ok := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer "); ok {
		if id, ok := s.bootstrapIdentity(request.Context(), bearer); ok {
			return id, true, false
		}
		return identity{}, false, true
	}
	return identity{}, false, false
}

// allowLocal is allow, but accepts every caller on this machine.
func (s *Supervisor) allowLocal(handler http.HandlerFunc, groups ...string) http.HandlerFunc {
	others := s.allow(handler, groups...)
	return func(response http.ResponseWriter, request *http.Request) {
		host, _, _ := net.SplitHostPort(request.RemoteAddr)
		if address := net.ParseIP(host); address != nil && address.IsLoopback() {
			handler(response, request)
			return
		}
		others(response, request)
	}
}

// allow accepts only callers in one of the groups; it refuses others with K3s' messages.
func (s *Supervisor) allow(handler http.HandlerFunc, groups ...string) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		id, known, wrong := s.authenticate(request)
		if wrong {
			SendError(response, http.StatusUnauthorized, "not authorized")
			return
		}
		if !known || !hasAny(id.groups, groups) {
			SendError(response, http.StatusForbidden, "forbidden")
			return
		}
		handler(response, request.WithContext(context.WithValue(request.Context(), identityKey{}, id)))
	}
}

// SendError answers as K3s does: with a Status, whose message callers log.
func SendError(response http.ResponseWriter, code int, message string) {
	reason := metav1.StatusReason(strings.ReplaceAll(http.StatusText(code), " ", ""))
	response.Header().Set("Content-Type", "application/json")
	response.WriteHeader(code)
	_ = json.NewEncoder(response).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Message: message, Reason: reason, Code: int32(code),
	})
}

func equal(a, b string) bool {
	return b != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

func hasAny(has, wanted []string) bool {
	for _, one := range wanted {
		for _, group := range has {
			if group == one {
				return true
			}
		}
	}
	return false
}
