// Package cmdline is K3s' command line: its flags, and its config file, which is converted to flags.
package cmdline

import (
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// DataDir is K3s' default folder; the lab's program never sets another.
const DataDir = "/var/lib/rancher/k3s"

// All flags of K3s, so that a config file for K3s is parsed by the same rules. Those without an effect here are listed
// in a warning at the start (see Ignored).
var (
	sharedStrings = names("config c", "data-dir d", "log l", "vmodule", "bind-address", "token t", "token-file", "server s",
		"node-name", "image-credential-provider-bin-dir", "image-credential-provider-config", "container-runtime-endpoint",
		"default-runtime", "image-service-endpoint", "pause-image", "snapshotter", "private-registry", "resolv-conf",
		"flannel-iface", "flannel-conf", "flannel-cni-conf", "vpn-auth", "vpn-auth-file")
	sharedLists = names("node-label", "node-taint", "node-ip i", "node-external-ip", "node-internal-dns", "node-external-dns",
		"kubelet-arg", "kube-proxy-arg", "airgap-extra-registry")
	sharedBools = names("debug", "alsologtostderr", "with-node-id", "selinux", "protect-kernel-defaults",
		"disable-default-registry-endpoint", "nonroot-devices", "enable-pprof", "rootless", "prefer-bundled-bin", "docker")
	sharedInts = names("v", "lb-server-port")

	agentBools = names("disable-apiserver-lb")

	serverStrings = names("apiserver-bind-address", "advertise-address", "service-node-port-range", "cluster-domain",
		"flannel-backend", "egress-selector-mode", "servicelb-namespace", "write-kubeconfig o", "write-kubeconfig-mode",
		"write-kubeconfig-group", "write-kubeconfig-name", "helm-job-image", "agent-token", "agent-token-file",
		"cluster-reset-restore-path", "datastore-endpoint", "datastore-cafile", "datastore-certfile", "datastore-keyfile",
		"etcd-snapshot-name", "etcd-snapshot-schedule-cron", "etcd-snapshot-dir", "etcd-s3-endpoint", "etcd-s3-endpoint-ca",
		"etcd-s3-access-key", "etcd-s3-secret-key", "etcd-s3-session-token", "etcd-s3-bucket", "etcd-s3-bucket-lookup-type",
		"etcd-s3-region", "etcd-s3-folder", "etcd-s3-proxy", "etcd-s3-config-secret", "default-local-storage-path",
		"system-default-registry", "secrets-encryption-provider")
	serverLists = names("tls-san", "cluster-cidr", "service-cidr", "cluster-dns", "kube-apiserver-arg", "etcd-arg",
		"kube-controller-manager-arg", "kube-scheduler-arg", "helm-controller-arg", "kube-cloud-controller-manager-arg",
		"disable", "kube-controller-arg", "kube-cloud-controller-arg")
	serverBools = names("tls-san-security", "flannel-ipv6-masq", "flannel-external-ip", "cluster-init", "cluster-reset",
		"kine-tls", "etcd-expose-metrics", "etcd-disable-snapshots", "etcd-snapshot-compress", "etcd-s3",
		"etcd-s3-skip-ssl-verify", "etcd-s3-insecure", "disable-scheduler", "disable-cloud-controller", "disable-kube-proxy",
		"disable-network-policy", "disable-helm-controller", "disable-apiserver", "disable-controller-manager", "disable-etcd",
		"embedded-registry", "supervisor-metrics", "secrets-encryption", "disable-agent")
	serverInts = names("https-listen-port", "supervisor-port", "apiserver-port", "advertise-port", "etcd-snapshot-retention",
		"etcd-s3-retention")
	serverDurations = names("etcd-snapshot-reconcile-interval", "etcd-s3-timeout")
)

// effective are the flags that the stand-in implements, or whose effect it always has.
var effective = set(names("config", "token", "token-file", "agent-token", "agent-token-file", "server", "cluster-init",
	"tls-san", "tls-san-security", "node-name", "node-ip", "advertise-address", "node-label", "node-taint", "kubelet-arg",
	"kube-apiserver-arg", "kube-proxy-arg", "kube-controller-manager-arg", "kube-scheduler-arg", "etcd-arg", "disable",
	"write-kubeconfig", "write-kubeconfig-mode", "cluster-cidr", "service-cidr", "cluster-dns", "cluster-domain",
	"service-node-port-range", "flannel-backend", "flannel-iface", "disable-network-policy", "disable-cloud-controller",
	"disable-helm-controller", "disable-kube-proxy", "secrets-encryption", "snapshotter", "pause-image", "resolv-conf",
	"protect-kernel-defaults", "debug", "lb-server-port", "egress-selector-mode", "etcd-snapshot-dir", "etcd-snapshot-retention",
	"etcd-snapshot-name", "disable-agent", "data-dir", "private-registry"))

var defaults = map[string]string{
	"cluster-domain": "cluster.local", "flannel-backend": "vxlan", "service-node-port-range": "30000-32767",
	"pause-image": "rancher/mirrored-pause:3.10.2", "snapshotter": "overlayfs", "egress-selector-mode": "agent",
	"write-kubeconfig": "/etc/rancher/k3s/k3s.yaml", "data-dir": DataDir, "etcd-snapshot-name": "etcd-snapshot",
}

// environment has the variables that K3s reads besides its flags, for the flags that the stand-in implements.
var environment = map[string]string{
	"token": "K3S_TOKEN", "token-file": "K3S_TOKEN_FILE", "agent-token": "K3S_AGENT_TOKEN", "agent-token-file": "K3S_AGENT_TOKEN_FILE",
	"server": "K3S_URL", "node-name": "K3S_NODE_NAME", "write-kubeconfig-mode": "K3S_KUBECONFIG_MODE", "cluster-init": "K3S_CLUSTER_INIT",
	"data-dir": "K3S_DATA_DIR", "write-kubeconfig": "K3S_KUBECONFIG_OUTPUT", "resolv-conf": "K3S_RESOLV_CONF",
}

// AgentFlags are those of `k3s agent`.
func AgentFlags() []cli.Flag {
	return flags(sharedStrings, sharedLists, append(agentBools, sharedBools...), sharedInts, nil)
}

// ServerFlags are those of `k3s server`.
func ServerFlags() []cli.Flag {
	return flags(append(serverStrings, sharedStrings...), append(serverLists, sharedLists...),
		append(serverBools, sharedBools...), append(serverInts, sharedInts...), serverDurations)
}

// Ignored names the flags that were given and have no effect in the stand-in.
func Ignored(c *cli.Context) []string {
	var ignored []string
	for _, name := range c.LocalFlagNames() {
		if len(name) > 1 && !effective[name] {
			ignored = append(ignored, "--"+name)
		}
	}
	return ignored
}

func flags(texts, lists, bools, ints, durations []string) []cli.Flag {
	var all []cli.Flag
	for _, spec := range texts {
		name, aliases := split(spec)
		all = append(all, &cli.StringFlag{Name: name, Aliases: aliases, Value: defaults[name], EnvVars: env(name)})
	}
	for _, spec := range lists {
		name, aliases := split(spec)
		all = append(all, &cli.StringSliceFlag{Name: name, Aliases: aliases})
	}
	for _, spec := range bools {
		all = append(all, &cli.BoolFlag{Name: spec, EnvVars: env(spec), Value: spec == "tls-san-security"})
	}
	for _, spec := range ints {
		value := map[string]int{"lb-server-port": 6444, "https-listen-port": 6443, "etcd-snapshot-retention": 5}[spec]
		all = append(all, &cli.IntFlag{Name: spec, Value: value})
	}
	for _, spec := range durations {
		all = append(all, &cli.DurationFlag{Name: spec, Value: time.Minute})
	}
	return all
}

func env(name string) []string {
	if variable, ok := environment[name]; ok {
		return []string{variable}
	}
	return nil
}

func names(names ...string) []string { return names }

func split(spec string) (string, []string) {
	parts := strings.Fields(spec)
	return parts[0], parts[1:]
}

func set(names []string) map[string]bool {
	all := map[string]bool{}
	for _, name := range names {
		all[name] = true
	}
	return all
}
