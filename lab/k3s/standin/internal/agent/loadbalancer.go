package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"k3s-standin/internal/token"
)

// LoadBalancer takes the node's connections to the API on loopback and passes them to a server that answers. It learns
// the other servers from the first, and remembers them over a restart.
type LoadBalancer struct {
	listener net.Listener
	file     string
	mu       sync.Mutex
	servers  []string
	first    string
}

// StartLoadBalancer listens on 127.0.0.1:port.
func StartLoadBalancer(ctx context.Context, port int, server, file string) (*LoadBalancer, error) {
	parsed, err := url.Parse(server)
	if err != nil {
		return nil, fmt.Errorf("Invalid server url, failed to parse: %s: %w", server, err)
	}
	first := parsed.Host
	if parsed.Port() == "" {
		first = net.JoinHostPort(parsed.Hostname(), "443")
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	balancer := &LoadBalancer{listener: listener, file: file, first: first, servers: []string{first}}
	if text, err := os.ReadFile(file); err == nil {
		var known []string
		if json.Unmarshal(text, &known) == nil {
			balancer.add(known)
		}
	}
	logrus.Infof("Running load balancer k3s-agent-load-balancer %s -> %v", listener.Addr(), balancer.servers)
	go func() { <-ctx.Done(); listener.Close() }()
	go balancer.accept()
	return balancer, nil
}

// URL is where it listens.
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
		if !sleep(ctx, 15*time.Second) {
			return
		}
	}
}

func (b *LoadBalancer) add(servers []string) {
	for _, server := range servers {
		if !slices.Contains(b.servers, server) {
			b.servers = append(b.servers, server)
		}
	}
}

func (b *LoadBalancer) replace(servers []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.servers
	b.servers = nil
	b.add(servers)
	b.add([]string{b.first})
	if slices.Equal(old, b.servers) {
		return
	}
	text, _ := json.Marshal(servers)
	_ = os.MkdirAll(filepath.Dir(b.file), 0o700)
	if err := os.WriteFile(b.file, text, 0o600); err != nil {
		logrus.Warnf("Failed to remember the servers: %v", err)
	}
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

// demote puts a server that does not answer to the end.
func (b *LoadBalancer) demote(address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := slices.Index(b.servers, address); at >= 0 {
		b.servers = append(slices.Delete(b.servers, at, at+1), address)
	}
}
