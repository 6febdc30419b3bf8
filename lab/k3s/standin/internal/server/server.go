// Package server is K3s' server: certificates, tokens, supervisor, datastore, control plane, and its own node.
package server

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"k3s-standin/internal/agent"
	"k3s-standin/internal/cmdline"
	"k3s-standin/internal/daemon"
	"k3s-standin/internal/supervisor"
	"k3s-standin/internal/token"
	"k3s-standin/internal/version"
)

type server struct {
	options
	*authorities
	tokens     *tokens
	etcd       *etcd
	group      *daemon.Group
	supervisor *supervisor.Supervisor
	client     kubernetes.Interface
	notifier   *daemon.Notifier
	// published are the addresses that were last written to the kubernetes service.
	published []string
}

// Run is `k3s server`.
func Run(c *cli.Context) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	s := &server{notifier: daemon.NewNotifier(), group: daemon.NewGroup()}
	var err error
	if s.options, err = readOptions(c); err != nil {
		return err
	}
	if s.tokens, err = readTokens(ctx, c, s.options); err != nil {
		return err
	}
	logrus.Infof("Starting k3s %s", version.Describe())
	agent.WarnIgnored(cmdline.Ignored(c))
	s.etcd = newEtcd(s.options, s.tokens.full, c.Bool("cluster-init"))
	s.cluster.ClusterInit = s.etcd.managed

	started := make(chan error, 1)
	go func() { started <- s.start(ctx) }()
	err = agent.Supervise(ctx, s.group, started)
	if s.supervisor != nil {
		s.supervisor.Stop(context.Background())
	}
	return err
}

func (s *server) start(ctx context.Context) error {
	if err := os.MkdirAll(s.file(), 0o700); err != nil {
		return err
	}
	if err := s.etcd.prepare(); err != nil {
		return fmt.Errorf("preparing server: failed to start supervisor listener: %w", err)
	}
	if s.etcd.joins() {
		if err := s.bootstrap(); err != nil {
			return fmt.Errorf("preparing server: failed to bootstrap cluster data: %w", err)
		}
	}
	if err := s.tokens.checkUnchanged(s.file("cred", "token-hash")); err != nil {
		return fmt.Errorf("preparing server: failed to bootstrap cluster data: %w", err)
	}
	var err error
	if s.authorities, err = ensureCertificates(s.options); err != nil {
		return fmt.Errorf("preparing server: failed to generate server dependencies: %w", err)
	}
	if err := s.listen(); err != nil {
		return err
	}
	if err := s.etcd.start(ctx, s.group); err != nil {
		return fmt.Errorf("starting kubernetes: failed to start cluster: %w", err)
	}
	if err := s.startAPIServer(); err != nil {
		return err
	}
	ca, err := s.serverCA.PEM()
	if err != nil {
		return err
	}
	if err := s.tokens.write(s.file(), ca); err != nil {
		return err
	}
	if err := s.writeKubeconfig(); err != nil {
		return err
	}
	if !s.disableAgent {
		go s.startAgent(ctx, ca)
	}
	if err := s.waitForAPIServer(ctx); err != nil {
		return err
	}
	if err := s.startManagers(); err != nil {
		return err
	}
	if err := s.startControllers(ctx); err != nil {
		return err
	}
	s.supervisor.SetClient(s.client)
	logrus.Info("k3s is up and running")
	s.notifier.Ready()
	return nil
}

// startAgent makes the server a node of its own cluster.
func (s *server) startAgent(ctx context.Context, ca []byte) {
	config := s.agent
	config.Server, config.ServerURL = true, fmt.Sprintf("https://127.0.0.1:%d", port)
	config.Token = token.Format("node:"+s.tokens.agent, ca)
	if err := agent.Start(ctx, config, s.group, func() {}); err != nil && ctx.Err() == nil {
		s.group.Fail(err)
	}
}

func (s *server) listen() error {
	started, err := supervisor.Start(supervisor.Options{
		Address: fmt.Sprintf(":%d", port), ClientCA: s.clientCA, ServerCA: s.serverCA,
		ServingBase: s.file("tls", "serving-supervisor"), ProxyBase: s.file("tls", "client-auth-proxy"),
		APIServer: fmt.Sprintf("127.0.0.1:%d", apiPort), Config: s.cluster, NodeName: s.agent.NodeName,
		Extra: map[string]http.HandlerFunc{
			bootstrapPath:   s.handleBootstrap,
			"/v1-k3s/token": s.handleTokenRotation,
			"/db/snapshot":  s.handleSnapshot,
		},
		Local: map[string]http.HandlerFunc{infoPath: s.handleMembers},
	}, s.tokens.server, s.tokens.agent)
	s.supervisor = started
	return err
}

// waitForAPIServer waits until the API server reports that it is ready, asked as the supervisor.
func (s *server) waitForAPIServer(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", s.file("cred", "supervisor.kubeconfig"))
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 50, 100
	if s.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	for {
		request, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := s.client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(request)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
