package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeletconfig "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"

	"k3s-standin/internal/daemon"
	"k3s-standin/internal/payload"
	"k3s-standin/internal/pki"
)

// startKubelet writes K3s' defaults as kubelet's configuration file, so that every kubelet-arg, a flag, overrides them.
func (n *Node) startKubelet(group *daemon.Group) error {
	taints, err := parseTaints(n.Taints)
	if err != nil {
		return err
	}
	cgroupDriver := "cgroupfs"
	if systemdCgroup() {
		cgroupDriver = "systemd"
	}
	no, yes := false, true
	resolvConf := n.resolvConf()
	manifests := n.file("pod-manifests")
	if err := os.MkdirAll(manifests, 0o750); err != nil {
		return err
	}
	config := kubeletconfig.KubeletConfiguration{
		TypeMeta:                 metav1.TypeMeta{APIVersion: "kubelet.config.k8s.io/v1beta1", Kind: "KubeletConfiguration"},
		CgroupDriver:             cgroupDriver,
		ClusterDNS:               []string{n.cluster.ClusterDNS},
		ClusterDomain:            n.cluster.ClusterDomain,
		ContainerRuntimeEndpoint: "unix://" + payload.Socket,
		FailSwapOn:               &no,
		HealthzBindAddress:       "127.0.0.1",
		ProtectKernelDefaults:    n.ProtectKernelDefaults,
		RegisterWithTaints:       taints,
		ResolverConfig:           &resolvConf,
		SerializeImagePulls:      &no,
		StaticPodPath:            manifests,
		TLSCertFile:              n.file("serving-kubelet.crt"),
		TLSPrivateKeyFile:        n.file("serving-kubelet.key"),
		EvictionHard:             map[string]string{"imagefs.available": "5%", "nodefs.available": "5%"},
		EvictionMinimumReclaim:   map[string]string{"imagefs.available": "10%", "nodefs.available": "10%"},
		Authentication: kubeletconfig.KubeletAuthentication{
			Anonymous: kubeletconfig.KubeletAnonymousAuthentication{Enabled: &no},
			Webhook:   kubeletconfig.KubeletWebhookAuthentication{Enabled: &yes},
			X509:      kubeletconfig.KubeletX509Authentication{ClientCAFile: n.file("client-ca.crt")},
		},
		Authorization: kubeletconfig.KubeletAuthorization{Mode: kubeletconfig.KubeletAuthorizationModeWebhook},
	}
	text, err := yaml.Marshal(config)
	if err != nil {
		return err
	}
	folder := n.file("etc", "kubelet.conf.d")
	if err := pki.WriteFile(filepath.Join(folder, "00-k3s-defaults.conf"), text); err != nil {
		return err
	}
	args := []string{
		"--config-dir=" + folder, "--kubeconfig=" + n.file("kubelet.kubeconfig"), "--hostname-override=" + n.NodeName,
		"--node-ip=" + n.NodeIP, "--node-labels=" + strings.Join(n.Labels, ","), "--read-only-port=0",
	}
	if !n.cluster.DisableCCM {
		args = append(args, "--cloud-provider=external")
	}
	return group.StartSelf("kubelet", append(args, flagArgs(n.KubeletArgs)...), "PATH="+n.bin+":"+os.Getenv("PATH"))
}

// startProxy starts kube-proxy with iptables as K3s does, or with nftables if there is no iptables.
func (n *Node) startProxy(group *daemon.Group) error {
	mode := "iptables"
	if exec.Command("iptables", "-w", "-t", "nat", "-L", "-n").Run() != nil {
		mode = "nftables"
	}
	args := []string{
		"--cluster-cidr=" + n.cluster.ClusterIPRange, "--kubeconfig=" + n.file("kubeproxy.kubeconfig"),
		"--hostname-override=" + n.NodeName, "--proxy-mode=" + mode, "--healthz-bind-address=127.0.0.1",
		"--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s",
	}
	return group.StartSelf("kube-proxy", append(args, flagArgs(n.ProxyArgs)...))
}

// waitForAPI waits until the supervisor's API accepts requests of this node.
func (n *Node) waitForAPI(ctx context.Context) error {
	client, err := clientFor(n.file("kubelet.kubeconfig"))
	if err != nil {
		return err
	}
	for {
		request, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(request)
		cancel()
		if err == nil {
			return nil
		}
		if !sleep(ctx, 200*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// resolvConf returns the machine's resolv.conf, unless that names a resolver that a pod cannot reach.
func (n *Node) resolvConf() string {
	if n.ResolvConf != "" {
		return n.ResolvConf
	}
	for _, file := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		if isValidResolvConf(file) {
			return file
		}
	}
	generated := n.file("etc", "resolv.conf")
	_ = pki.WriteFile(generated, []byte("nameserver 8.8.8.8\nnameserver 2001:4860:4860::8888\n"))
	return generated
}

func isValidResolvConf(file string) bool {
	text, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	found := false
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "nameserver" {
			address := net.ParseIP(fields[1])
			if address == nil || !address.IsGlobalUnicast() {
				return false
			}
			found = true
		}
	}
	return found
}

// parseTaints reads `key=value:Effect` and `key:Effect`.
func parseTaints(specs []string) ([]corev1.Taint, error) {
	var taints []corev1.Taint
	for _, spec := range specs {
		pair, effect, found := strings.Cut(spec, ":")
		key, value, _ := strings.Cut(pair, "=")
		if !found || key == "" {
			return nil, fmt.Errorf("failed to parse node taints: invalid taint spec: %v", spec)
		}
		taints = append(taints, corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffect(effect)})
	}
	return taints, nil
}

// flagArgs turns `name=value` into `--name=value`.
func flagArgs(args []string) []string {
	flags := make([]string, 0, len(args))
	for _, arg := range args {
		flags = append(flags, "--"+strings.TrimLeft(arg, "-"))
	}
	return flags
}
