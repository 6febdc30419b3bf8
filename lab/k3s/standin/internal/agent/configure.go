package agent

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"k3s-standin/internal/cmdline"
)

const omitted = "********"

func clientFor(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 50, 100
	return kubernetes.NewForConfig(config)
}

// configure waits for kubelet to register the Node, then sets what K3s sets at each start: the labels of the
// configuration (over others' values; none is ever removed) and annotations that say how the node was started.
func (n *Node) configure(ctx context.Context) error {
	client, err := clientFor(n.file("kubelet.kubeconfig"))
	if err != nil {
		return err
	}
	for {
		if _, err := client.CoreV1().Nodes().Get(ctx, n.NodeName, metav1.GetOptions{}); err == nil {
			patch, err := n.patch()
			if err != nil {
				return err
			}
			_, err = client.CoreV1().Nodes().Patch(ctx, n.NodeName, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
			if err == nil {
				logrus.Infof("Annotations and labels have been set successfully on node: %s", n.NodeName)
				return nil
			}
			logrus.Infof("Failed to set annotations and labels on node %s: %v", n.NodeName, err)
		}
		if !sleep(ctx, 200*time.Millisecond) {
			return ctx.Err()
		}
	}
}

func (n *Node) patch() ([]byte, error) {
	args, env, err := startedWith()
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256([]byte(args + env))
	hostname, _ := os.Hostname()
	labels := map[string]string{}
	for _, label := range n.Labels {
		key, value, _ := strings.Cut(label, "=")
		labels[key] = value
	}
	return json.Marshal(corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{
		"k3s.io/hostname": hostname, "k3s.io/internal-ip": n.NodeIP,
		"k3s.io/node-args": args, "k3s.io/node-env": env,
		"k3s.io/node-config-hash": base32.StdEncoding.EncodeToString(hash[:]),
	}}})
}

// startedWith returns the command line, config file included, and the K3S_* environment variables, without the values
// that are secrets in K3s.
func startedWith() (args, env string, err error) {
	all, err := cmdline.WithConfigFile(os.Args)
	if err != nil {
		return "", "", err
	}
	list := []string{}
	for _, arg := range all[1:] {
		if name, value, found := strings.Cut(arg, "="); found && strings.HasPrefix(arg, "-") {
			list = append(list, name, value)
		} else {
			list = append(list, arg)
		}
	}
	for i, arg := range list {
		if isSecret(arg) && i+1 < len(list) {
			list[i+1] = omitted
		}
	}
	variables := map[string]string{}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "K3S_") {
			continue
		}
		if isSecret(name) {
			value = omitted
		}
		variables[name] = value
	}
	argsJSON, err := json.Marshal(list)
	if err != nil {
		return "", "", err
	}
	envJSON, err := json.Marshal(variables)
	return string(argsJSON), string(envJSON), err
}

func isSecret(name string) bool {
	switch name {
	case "K3S_TOKEN", "K3S_DATASTORE_ENDPOINT", "K3S_AGENT_TOKEN", "K3S_CLUSTER_SECRET", "K3S_VPN_AUTH",
		"--token", "-t", "--agent-token", "--datastore-endpoint", "--etcd-s3-access-key", "--etcd-s3-secret-key", "--vpn-auth":
		return true
	}
	return false
}
