package server

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"k3s-standin/internal/agent"
	"k3s-standin/internal/supervisor"
)

const (
	// port serves the supervisor and the API, apiPort the API server itself, only on loopback. Both are K3s' values.
	port        = 6443
	apiPort     = 6444
	defaultPods = "10.42.0.0/16"
	defaultServ = "10.43.0.0/16"
	adminUser   = "system:admin"
	masters     = "system:masters"
)

type options struct {
	agent            agent.Config
	cluster          supervisor.ClusterConfig
	advertiseAddress string
	sans             []string
	nodePorts        string
	kubeconfig       string
	kubeconfigMode   string
	encryptSecrets   bool
	joinURL          string
	disableAgent     bool
	apiServerArgs    []string
	controllerArgs   []string
	schedulerArgs    []string
	etcdArgs         []string
	snapshotDir      string
	snapshots        int
}

func readOptions(c *cli.Context) (options, error) {
	config, err := agent.FromFlags(c)
	if err != nil {
		return options{}, err
	}
	o := options{
		agent: config, advertiseAddress: c.String("advertise-address"), nodePorts: c.String("service-node-port-range"),
		kubeconfig: c.String("write-kubeconfig"), kubeconfigMode: c.String("write-kubeconfig-mode"),
		encryptSecrets: c.Bool("secrets-encryption"), joinURL: c.String("server"), disableAgent: c.Bool("disable-agent"),
		apiServerArgs: c.StringSlice("kube-apiserver-arg"), schedulerArgs: c.StringSlice("kube-scheduler-arg"),
		controllerArgs: append(c.StringSlice("kube-controller-arg"), c.StringSlice("kube-controller-manager-arg")...),
		etcdArgs:       c.StringSlice("etcd-arg"), snapshotDir: c.String("etcd-snapshot-dir"), snapshots: c.Int("etcd-snapshot-retention"),
	}
	if o.advertiseAddress == "" {
		o.advertiseAddress = config.NodeIP
	}
	o.cluster = supervisor.ClusterConfig{
		ClusterIPRange: one(c, "cluster-cidr", defaultPods), ServiceIPRange: one(c, "service-cidr", defaultServ),
		ClusterDomain: c.String("cluster-domain"), FlannelBackend: c.String("flannel-backend"),
		EgressSelectorMode: c.String("egress-selector-mode"), EncryptSecrets: c.Bool("secrets-encryption"),
		DisableCCM: c.Bool("disable-cloud-controller"), DisableHelmController: c.Bool("disable-helm-controller"),
		DisableNPC: c.Bool("disable-network-policy"), DisableServiceLB: disables(c, "servicelb"),
		DisableKubeProxy: c.Bool("disable-kube-proxy"),
		HTTPSPort:        port, SupervisorPort: port,
	}
	if o.cluster.ClusterDNS = one(c, "cluster-dns", ""); o.cluster.ClusterDNS == "" {
		if o.cluster.ClusterDNS, err = nth(o.cluster.ServiceIPRange, 10); err != nil {
			return o, fmt.Errorf("service-cidr: %w", err)
		}
	}
	if _, _, err := net.ParseCIDR(o.cluster.ClusterIPRange); err != nil {
		return o, fmt.Errorf("cluster-cidr: %w", err)
	}
	apiService, err := nth(o.cluster.ServiceIPRange, 1)
	if err != nil {
		return o, err
	}
	if o.snapshotDir == "" {
		o.snapshotDir = o.file("db", "snapshots")
	}
	o.sans = []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + o.cluster.ClusterDomain,
		"localhost", "127.0.0.1", "::1", apiService, config.NodeName, config.NodeIP}
	for _, san := range append([]string{o.advertiseAddress}, c.StringSlice("tls-san")...) {
		for name := range strings.SplitSeq(san, ",") {
			if !slices.Contains(o.sans, name) {
				o.sans = append(o.sans, name)
			}
		}
	}
	return o, nil
}

// disables tells whether `disable` names an add-on; a value may list several.
func disables(c *cli.Context, addOn string) bool {
	return slices.Contains(strings.Split(strings.Join(c.StringSlice("disable"), ","), ","), addOn)
}

func (o options) file(name ...string) string {
	return filepath.Join(append([]string{o.agent.DataDir, "server"}, name...)...)
}

func one(c *cli.Context, flag, fallback string) string {
	if values := c.StringSlice(flag); len(values) > 0 {
		return strings.Split(values[0], ",")[0]
	}
	return fallback
}

// nth returns the n-th address of an IPv4 network.
func nth(cidr string, n byte) (string, error) {
	_, network, err := net.ParseCIDR(cidr)
	if err != nil {
		return "", err
	}
	address := network.IP.To4()
	if address == nil {
		return "", fmt.Errorf("%s: the stand-in knows IPv4 only", cidr)
	}
	address[3] += n
	return address.String(), nil
}
