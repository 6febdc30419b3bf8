package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"k3s-standin/internal/pki"
	"k3s-standin/internal/token"
)

// followEvery is how often it looks for new servers. K3s watches the API instead.
const followEvery = 5 * time.Second

// LoadBalancer accepts the node's connections to the API on loopback and forwards them to a server that answers. It gets
// the other servers from the first, and stores them: after a restart it works even if the first is gone.
type LoadBalancer struct {
	listener net.Listener
	file     string
	mu       sync.Mutex
	// servers are the cluster's, in the order in which they are tried; the configured server is the fallback.
	servers  []string
	fallback string
}

// remembered is the file's content, as in K3s. It counts only if the configuration still has the same server.
type remembered struct {
	ServerURL       string
	ServerAddresses []string
}

// StartLoadBalancer listens on 127.0.0.1:port.
func StartLoadBalancer(ctx context.Context, port int, server, file string) (*LoadBalancer, error) {
	parsed, err := url.Parse(server)
	if err != nil {
		return nil, fmt.Errorf("Invalid server url, failed to parse: %s: %w", server, err)
	}
	fallback := parsed.Host
	if parsed.Port() == "" {
		fallback = net.JoinHostPort(parsed.Hostname(), "443")
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	balancer := &LoadBalancer{listener: listener, file: file, fallback: fallback}
	balancer.recall()
	logrus.Infof("Running load balancer k3s-agent-load-balancer %s -> %v [default: %s]", listener.Addr(), balancer.servers, fallback)
	go func() { <-ctx.Done(); listener.Close() }()
	go balancer.accept()
	return balancer, nil
}

// URL returns the address on which it listens.
func (b *LoadBalancer) URL() string { return "https://" + b.listener.Addr().String() }

// Follow keeps the list of servers up to date.
func (b *LoadBalancer) Follow(ctx context.Context, config Config, api string) {
	for {
		client, err := token.Connect(api, config.Token, config.file("client-kubelet.crt"), config.file("client-kubelet.key"))
		if err == nil {
			client.User = "node"
			if text, err := client.Get("/v1-k3s/apiservers"); err == nil {
				var found []string
				if json.Unmarshal(text, &found) == nil && len(found) > 0 {
					b.replace(found)
				}
			}
		}
		if !sleep(ctx, followEvery) {
			return
		}
	}
}

// recall reads the servers that an earlier start has stored.
func (b *LoadBalancer) recall() {
	var known remembered
	if text, err := os.ReadFile(b.file); err == nil && json.Unmarshal(text, &known) == nil && known.ServerURL == b.serverURL() {
		b.servers = known.ServerAddresses
		return
	}
	b.remember()
}

func (b *LoadBalancer) remember() {
	text, err := json.MarshalIndent(remembered{b.serverURL(), b.servers}, "", "  ")
	if err == nil {
		err = pki.WriteFile(b.file, text)
	}
	if err != nil {
		logrus.Warnf("Error updating load balancer k3s-agent-load-balancer config: %s", err)
	}
}

func (b *LoadBalancer) serverURL() string { return "https://" + b.fallback }

// replace sets the cluster's current servers. Known servers keep their order.
func (b *LoadBalancer) replace(servers []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	isGone := func(server string) bool { return !slices.Contains(servers, server) }
	isKnown := func(server string) bool { return slices.Contains(b.servers, server) }
	if len(servers) == len(b.servers) && !slices.ContainsFunc(b.servers, isGone) {
		return
	}
	added := slices.DeleteFunc(slices.Clone(servers), isKnown)
	b.servers = append(slices.DeleteFunc(b.servers, isGone), added...)
	logrus.Infof("Updated load balancer k3s-agent-load-balancer server addresses -> %v [default: %s]", b.servers, b.fallback)
	b.remember()
}

func (b *LoadBalancer) accept() {
	for {
		connection, err := b.listener.Accept()
		if err != nil {
			return
		}
		go b.serve(connection)
	}
}

func (b *LoadBalancer) serve(client net.Conn) {
	defer client.Close()
	b.mu.Lock()
	servers := slices.Clone(b.servers)
	b.mu.Unlock()
	if !slices.Contains(servers, b.fallback) {
		servers = append(servers, b.fallback)
	}
	for _, address := range servers {
		server, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			b.demote(address)
			continue
		}
		defer server.Close()
		go func() {
			_, _ = io.Copy(server, client)
			server.Close()
			client.Close()
		}()
		_, _ = io.Copy(client, server)
		return
	}
}

// demote moves a server that does not answer to the end of the list.
func (b *LoadBalancer) demote(address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := slices.Index(b.servers, address); at >= 0 {
		b.servers = append(slices.Delete(b.servers, at, at+1), address)
	}
}
