package supervisor

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const bootstrapSecretPrefix = "bootstrap-token-"

// bootstrapIdentity checks an `<id>.<secret>` token against its secret, made by `k3s token create`.
func (s *Supervisor) bootstrapIdentity(ctx context.Context, bearer string) (identity, bool) {
	id, secret, found := strings.Cut(bearer, ".")
	client := s.Client()
	if !found || client == nil {
		return identity{}, false
	}
	stored, err := client.CoreV1().Secrets(metav1.NamespaceSystem).Get(ctx, bootstrapSecretPrefix+id, metav1.GetOptions{})
	if err != nil || stored.Type != corev1.SecretTypeBootstrapToken || !equal(secret, string(stored.Data["token-secret"])) {
		return identity{}, false
	}
	if expiration := string(stored.Data["expiration"]); expiration != "" {
		if until, err := time.Parse(time.RFC3339, expiration); err != nil || time.Now().After(until) {
			return identity{}, false
		}
	}
	if string(stored.Data["usage-bootstrap-authentication"]) != "true" {
		return identity{}, false
	}
	return identity{"system:bootstrap:" + id, strings.Split(string(stored.Data["auth-extra-groups"]), ",")}, true
}

// apiServers returns the addresses of all servers, for an agent's load balancer.
func (s *Supervisor) apiServers(response http.ResponseWriter, request *http.Request) {
	addresses := []string{}
	if client := s.Client(); client != nil {
		slices, err := client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).List(request.Context(),
			metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=kubernetes"})
		if err == nil {
			addresses = endpointAddresses(slices.Items)
		}
	}
	answer(response, addresses)
}

func endpointAddresses(slices []discoveryv1.EndpointSlice) []string {
	addresses := []string{}
	for _, slice := range slices {
		for _, port := range slice.Ports {
			for _, endpoint := range slice.Endpoints {
				for _, address := range endpoint.Addresses {
					addresses = append(addresses, net.JoinHostPort(address, strconv.Itoa(int(*port.Port))))
				}
			}
		}
	}
	return addresses
}
