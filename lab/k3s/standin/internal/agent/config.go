package agent

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"
	"github.com/vishvananda/netlink"

	"k3s-standin/internal/registries"
)

// Config is an agent's configuration from its flags.
type Config struct {
	DataDir, NodeName, NodeIP string
	Token, ServerURL          string
	Labels, Taints            []string
	KubeletArgs, ProxyArgs    []string
	PauseImage, Snapshotter   string
	ResolvConf                string
	// Registries is the path of registries.yaml.
	Registries            string
	ProtectKernelDefaults bool
	LoadBalancerPort      int
	// Server is set on a server's own agent, which calls its supervisor directly.
	Server bool
}

// FromFlags reads the flags that agents and servers share.
//
// It fails if the machine has no address: without a default route K3s does not start either.
func FromFlags(c *cli.Context) (Config, error) {
	config := Config{
		DataDir: c.String("data-dir"), NodeName: strings.ToLower(c.String("node-name")),
		Labels: c.StringSlice("node-label"), Taints: c.StringSlice("node-taint"),
		KubeletArgs: c.StringSlice("kubelet-arg"), ProxyArgs: c.StringSlice("kube-proxy-arg"),
		PauseImage: c.String("pause-image"), Snapshotter: c.String("snapshotter"), ResolvConf: c.String("resolv-conf"),
		ProtectKernelDefaults: c.Bool("protect-kernel-defaults"), LoadBalancerPort: c.Int("lb-server-port"),
		Registries: c.String("private-registry"),
	}
	if config.Registries == "" {
		config.Registries = registries.DefaultFile
	}
	if config.NodeName == "" {
		name, err := os.Hostname()
		if err != nil {
			return config, err
		}
		config.NodeName = strings.ToLower(name)
	}
	if addresses := c.StringSlice("node-ip"); len(addresses) > 0 {
		config.NodeIP = strings.Split(addresses[0], ",")[0]
		return config, nil
	}
	address, err := defaultAddress(c.String("flannel-iface"))
	config.NodeIP = address
	return config, err
}

func (c Config) file(name ...string) string {
	return filepath.Join(append([]string{c.DataDir, "agent"}, name...)...)
}

// defaultAddress is the IPv4 address of the named interface, else of that with the default route.
func defaultAddress(iface string) (string, error) {
	var link netlink.Link
	if iface != "" {
		named, err := netlink.LinkByName(iface)
		if err != nil {
			return "", err
		}
		link = named
	} else {
		routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
		if err != nil {
			return "", err
		}
		for _, route := range routes {
			if route.Dst == nil || route.Dst.IP.Equal(net.IPv4zero) {
				if link, err = netlink.LinkByIndex(route.LinkIndex); err != nil {
					return "", err
				}
				break
			}
		}
	}
	if link == nil {
		return "", errors.New("no default routes found in \"/proc/net/route\" or \"/proc/net/ipv6_route\"")
	}
	addresses, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil {
		return "", err
	}
	if len(addresses) == 0 {
		return "", errors.New("the interface " + link.Attrs().Name + " has no IPv4 address")
	}
	return addresses[0].IP.String(), nil
}

// WarnIgnored logs which flags have no effect here, so that nobody thinks that K3s ignores them, too.
func WarnIgnored(flags []string) {
	if len(flags) > 0 {
		logrus.Warnf("The stand-in accepts these flags without effect: %s", strings.Join(flags, " "))
	}
}
