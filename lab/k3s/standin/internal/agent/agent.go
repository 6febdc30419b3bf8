// Package agent joins a machine to a cluster and runs its node: containerd, kubelet, kube-proxy and the pod network.
package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"

	"k3s-standin/internal/cmdline"
	"k3s-standin/internal/daemon"
	"k3s-standin/internal/payload"
	"k3s-standin/internal/supervisor"
	"k3s-standin/internal/token"
	"k3s-standin/internal/version"
)

// Run is `k3s agent`.
func Run(c *cli.Context) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	notifier := daemon.NewNotifier()
	config, err := FromFlags(c)
	if err != nil {
		return err
	}
	if config.Token, err = ReadToken(ctx, c.String("token"), c.String("token-file")); err != nil {
		return err
	}
	config.ServerURL = c.String("server")
	if config.Token == "" && !exists(config.file("client-kubelet.crt")) {
		return errors.New("--token is required")
	}
	if config.ServerURL == "" {
		return errors.New("--server is required")
	}
	logrus.Infof("Starting k3s agent %s", version.Describe())
	WarnIgnored(cmdline.Ignored(c))

	group := daemon.NewGroup()
	started := make(chan error, 1)
	go func() { started <- Start(ctx, config, group, notifier.Ready) }()
	return Supervise(ctx, group, started)
}

// Supervise waits for a signal, a failed start or a component's end, and ends the components.
func Supervise(ctx context.Context, group *daemon.Group, started <-chan error) error {
	defer group.Stop(3 * time.Second)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-started:
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			started = nil
		case err := <-group.Failed():
			logrus.Errorf("Shutdown request received: %q", err.Error())
			return err
		}
	}
}

// Start joins the cluster and returns when the node is up, after a call of ready. It waits without limit where K3s does.
func Start(ctx context.Context, config Config, group *daemon.Group, ready func()) error {
	if err := os.MkdirAll(config.file(), 0o700); err != nil {
		return err
	}
	bin, err := payload.Ensure(config.DataDir)
	if err != nil {
		return err
	}
	api := config.ServerURL
	if !config.Server {
		balancer, err := StartLoadBalancer(ctx, config.LoadBalancerPort, config.ServerURL, config.file("etc", "k3s-agent-load-balancer.json"))
		if err != nil {
			return err
		}
		api = balancer.URL()
		defer func() { go balancer.Follow(ctx, config, api) }()
	}
	client, err := connect(ctx, config, api)
	if err != nil {
		return err
	}
	node, err := fetch(ctx, config, client, api)
	if err != nil {
		return err
	}
	node.bin = bin
	if err := node.setUpKernel(); err != nil {
		return err
	}
	if err := node.startContainerd(ctx, group); err != nil {
		return err
	}
	if err := node.startKubelet(group); err != nil {
		return err
	}
	if err := node.waitForAPI(ctx); err != nil {
		return err
	}
	if !node.cluster.DisableKubeProxy {
		if err := node.startProxy(group); err != nil {
			return err
		}
	}
	if err := node.configure(ctx); err != nil {
		return err
	}
	if err := node.startNetwork(ctx); err != nil {
		return err
	}
	if !config.Server {
		logrus.Info("k3s agent is up and running")
	}
	ready()
	return nil
}

// connect repeats until the supervisor answers with a CA that fits the token.
func connect(ctx context.Context, config Config, api string) (*token.Client, error) {
	for {
		client, err := token.Connect(api, config.Token, config.file("client-kubelet.crt"), config.file("client-kubelet.key"))
		if err == nil {
			// A machine joins as a node, whatever user is in the token.
			client.User = "node"
			return client, nil
		}
		logrus.Errorf("Failed to validate connection to cluster at %s: %v", config.ServerURL, err)
		if !sleep(ctx, 2*time.Second) {
			return nil, ctx.Err()
		}
	}
}

// fetch repeats until the supervisor hands out the node's configuration and certificates.
func fetch(ctx context.Context, config Config, client *token.Client, api string) (*Node, error) {
	for {
		node, err := fetchOnce(config, client, api)
		if err == nil {
			return node, nil
		}
		logrus.Infof("Waiting to retrieve agent configuration; server is not ready: %v", err)
		wait := 5*time.Second + time.Duration(rand.Int64N(int64(5*time.Second)))
		if config.Server {
			wait = 500 * time.Millisecond
		}
		if !sleep(ctx, wait) {
			return nil, ctx.Err()
		}
	}
}

func fetchOnce(config Config, client *token.Client, api string) (*Node, error) {
	text, err := client.Get("/v1-k3s/config")
	if err != nil {
		return nil, fmt.Errorf("failed to retrieve configuration from server: %w", err)
	}
	node := &Node{Config: config, api: api}
	if err := json.Unmarshal(text, &node.cluster); err != nil {
		return nil, fmt.Errorf("failed to retrieve configuration from server: %w", err)
	}
	return node, node.fetchCertificates(client)
}

// ReadToken returns the token, or the content of its file. If the file is missing, it waits for it, as K3s does.
func ReadToken(ctx context.Context, text, file string) (string, error) {
	if file == "" {
		return text, nil
	}
	for until := time.Now().Add(4 * time.Minute); ; {
		content, err := os.ReadFile(file)
		if err == nil {
			return strings.TrimSpace(string(content)), nil
		}
		if !os.IsNotExist(err) {
			return "", err
		}
		logrus.Infof("Waiting for file %q to be created\n", file)
		if !sleep(ctx, 2*time.Second) {
			return "", ctx.Err()
		}
		if time.Now().After(until) {
			return "", context.DeadlineExceeded
		}
	}
}

func sleep(ctx context.Context, duration time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(duration):
		return true
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// Node is a joined machine.
type Node struct {
	Config
	cluster supervisor.ClusterConfig
	// api is the URL of the API for this node: its load balancer, or the server's own port.
	api string
	bin string
}
