package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"github.com/sirupsen/logrus"
	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
)

// K3s' annotations about a server's etcd member.
const (
	memberName    = "etcd.k3s.cattle.io/node-name"
	memberAddress = "etcd.k3s.cattle.io/node-address"
	removeMember  = "etcd.k3s.cattle.io/remove"
	removedMember = "etcd.k3s.cattle.io/removed-node-name"

	memberFinalizer = "wrangler.cattle.io/managed-etcd-controller"
)

var errOnlyVoter = errors.New("it is the only voting member")

// describe puts the member's name and address on its Node.
func (e *etcd) describe(node *corev1.Node) {
	if !e.managed || node.DeletionTimestamp != nil || node.Annotations[removedMember] != "" {
		return
	}
	if node.Annotations == nil {
		node.Annotations = map[string]string{}
	}
	node.Labels[etcdLabel] = "true"
	if !slices.Contains(node.Finalizers, memberFinalizer) {
		node.Finalizers = append(node.Finalizers, memberFinalizer)
	}
	node.Annotations[memberName], node.Annotations[memberAddress] = e.name, e.agent.NodeIP
}

// answerRemoval removes the member of a Node whose annotation asks for it, and says so by another annotation; the only
// voter stays, and the request is withdrawn.
func (e *etcd) answerRemoval(ctx context.Context, node *corev1.Node) {
	if !e.managed || node.Annotations[removeMember] != "true" || node.Annotations[removedMember] != "" {
		return
	}
	name, err := e.remove(ctx, node)
	if err != nil {
		logrus.Errorf("Unable to remove etcd member of node %s: %v", node.Name, err)
		delete(node.Annotations, removeMember)
		return
	}
	node.Annotations[removedMember] = name
	delete(node.Annotations, memberName)
	delete(node.Annotations, memberAddress)
	delete(node.Labels, etcdLabel)
}

// answerDeletion removes the member of a server whose Node is being deleted; until then the finalizer, K3s' own, keeps
// the Node, so that a deletion while no other server watches is not missed.
func (e *etcd) answerDeletion(ctx context.Context, node *corev1.Node) {
	if node.DeletionTimestamp == nil || !slices.Contains(node.Finalizers, memberFinalizer) {
		return
	}
	if _, err := e.remove(ctx, node); err != nil && !errors.Is(err, errOnlyVoter) {
		logrus.Errorf("Unable to remove etcd member of deleted node %s: %v", node.Name, err)
		return
	}
	node.Finalizers = slices.DeleteFunc(node.Finalizers, func(name string) bool { return name == memberFinalizer })
}

func (e *etcd) remove(ctx context.Context, node *corev1.Node) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client, err := e.client(ctx, "127.0.0.1")
	if err != nil {
		return "", err
	}
	defer client.Close()
	members, err := client.MemberList(ctx)
	if err != nil {
		return "", err
	}
	name, address := node.Annotations[memberName], node.Annotations[memberAddress]
	voters := 0
	var found *clientv3.Member
	for _, member := range members.Members {
		if !member.IsLearner {
			voters++
		}
		if member.Name == name || (len(member.PeerURLs) > 0 && member.PeerURLs[0] == "https://"+net.JoinHostPort(address, "2380")) {
			found = (*clientv3.Member)(member)
		}
	}
	if found == nil {
		return name, nil
	}
	if voters < 2 && !found.IsLearner {
		return "", fmt.Errorf("%s: %w", found.Name, errOnlyVoter)
	}
	logrus.Infof("Removing name=%s id=%d address=%s from etcd", found.Name, found.ID, address)
	_, err = client.MemberRemove(ctx, found.ID)
	return found.Name, err
}

func certPool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool, nil
}

func copyTo(file string, from io.Reader) error {
	target, err := os.OpenFile(file+".part", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, from); err != nil {
		target.Close()
		return err
	}
	if err := target.Close(); err != nil {
		return err
	}
	return os.Rename(file+".part", file)
}

// prune keeps the newest files of a pattern; their names end in the time they were made.
func prune(pattern string, keep int) error {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	sort.Strings(files)
	for len(files) > keep && keep > 0 {
		if err := os.Remove(files[0]); err != nil {
			return err
		}
		files = files[1:]
	}
	return nil
}
