package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"k3s-standin/internal/pki"
)

// routeProtocol marks our routes in the routing table, so that no other routes are removed.
const routeProtocol = 75

var kernelSettings = map[string]string{
	"/proc/sys/net/ipv4/ip_forward":                       "1",
	"/proc/sys/net/ipv4/conf/all/forwarding":              "1",
	"/proc/sys/net/ipv4/conf/default/forwarding":          "1",
	"/proc/sys/net/bridge/bridge-nf-call-iptables":        "1",
	"/proc/sys/net/bridge/bridge-nf-call-ip6tables":       "1",
	"/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal": "1",
}

// setUpKernel makes the settings that pods' traffic needs. As in K3s, a setting that fails is reported, not fatal.
func (n *Node) setUpKernel() error {
	for file, value := range kernelSettings {
		if err := os.WriteFile(file, []byte(value), 0o644); err != nil {
			logrus.Warnf("Failed to set %s to %s: %v", strings.ReplaceAll(strings.TrimPrefix(file, "/proc/sys/"), "/", "."), value, err)
		}
	}
	return nil
}

// startNetwork waits for the node's range of pod addresses, writes the CNI configuration and keeps routes to the
// other nodes' ranges. All nodes must share one link: the stand-in uses routes (host-gw), K3s by default a tunnel (vxlan).
func (n *Node) startNetwork(ctx context.Context) error {
	backend := n.cluster.FlannelBackend
	if backend == "none" {
		return nil
	}
	logrus.Infof("Starting the pod network: routes between nodes (flannel backend %s of K3s is not there)", backend)
	client, err := clientFor(n.file("k3scontroller.kubeconfig"))
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 10*time.Minute)
	nodes := factory.Core().V1().Nodes()
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	_, err = nodes.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { notify() }, UpdateFunc: func(any, any) { notify() }, DeleteFunc: func(any) { notify() },
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	podCIDR, err := n.waitForPodCIDR(ctx, nodes.Lister(), changed)
	if err != nil {
		return err
	}
	if err := n.writeCNI(podCIDR); err != nil {
		return err
	}
	if err := n.masquerade(); err != nil {
		logrus.Warnf("Pods cannot reach beyond the cluster: %v", err)
	}
	go func() {
		for {
			if err := n.syncRoutes(nodes.Lister()); err != nil {
				logrus.Warnf("Failed to set the routes to the other nodes' pods: %v", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-changed:
			case <-time.After(30 * time.Second):
			}
		}
	}()
	return nil
}

func (n *Node) waitForPodCIDR(ctx context.Context, nodes listers.NodeLister, changed <-chan struct{}) (string, error) {
	for {
		if node, err := nodes.Get(n.NodeName); err == nil && node.Spec.PodCIDR != "" {
			return node.Spec.PodCIDR, nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-changed:
		}
	}
}

func (n *Node) writeCNI(podCIDR string) error {
	config := map[string]any{
		"cniVersion": "1.0.0", "name": "cbr0",
		"plugins": []any{
			map[string]any{
				"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "forceAddress": true,
				"ipam": map[string]any{
					"type":   "host-local",
					"ranges": []any{[]any{map[string]any{"subnet": podCIDR}}},
					"routes": []any{map[string]any{"dst": n.cluster.ClusterIPRange}, map[string]any{"dst": "0.0.0.0/0"}},
				},
			},
			map[string]any{"type": "portmap", "capabilities": map[string]any{"portMappings": true}},
		},
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	return pki.WriteFile(n.file("etc", "cni", "net.d", "10-flannel.conflist"), append(text, '\n'))
}

// masquerade lets pods reach addresses outside the cluster from the node's address, and forwards pods' traffic.
func (n *Node) masquerade() error {
	cidr := n.cluster.ClusterIPRange
	comment := []string{"-m", "comment", "--comment", "flanneld masq"}
	rules := [][]string{
		{"nat", "POSTROUTING", "-s", cidr, "!", "-d", cidr, "-j", "MASQUERADE"},
		{"filter", "FORWARD", "-s", cidr, "-j", "ACCEPT"},
		{"filter", "FORWARD", "-d", cidr, "-j", "ACCEPT"},
	}
	for _, rule := range rules {
		spec := append(append([]string{}, comment...), rule[2:]...)
		if iptables(rule[0], "-C", rule[1], spec) == nil {
			continue
		}
		if err := iptables(rule[0], "-A", rule[1], spec); err != nil {
			return err
		}
	}
	return nil
}

func iptables(table, action, chain string, spec []string) error {
	output, err := exec.Command("iptables", append([]string{"-w", "-t", table, action, chain}, spec...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("iptables: %s: %w", strings.TrimSpace(string(output)), err)
	}
	return nil
}

func (n *Node) syncRoutes(nodes listers.NodeLister) error {
	wanted := map[string]net.IP{}
	all, err := nodes.List(labels.Everything())
	if err != nil {
		return err
	}
	for _, node := range all {
		if address := internalAddress(node); node.Name != n.NodeName && node.Spec.PodCIDR != "" && address != nil {
			wanted[node.Spec.PodCIDR] = address
		}
	}
	present, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Protocol: routeProtocol}, netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return err
	}
	for i := range present {
		if present[i].Dst != nil && wanted[present[i].Dst.String()] == nil {
			_ = netlink.RouteDel(&present[i])
		}
	}
	for cidr, via := range wanted {
		_, destination, err := net.ParseCIDR(cidr)
		if err != nil {
			return err
		}
		route := &netlink.Route{Dst: destination, Gw: via, Protocol: routeProtocol}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("route %s via %s: %w", cidr, via, err)
		}
	}
	return nil
}

func internalAddress(node *corev1.Node) net.IP {
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			return net.ParseIP(address.Address)
		}
	}
	return nil
}
