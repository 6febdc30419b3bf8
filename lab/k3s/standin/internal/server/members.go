package server

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
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

const removalTimeout = time.Minute

// describe writes the member's name and address to its Node.
func (e *etcd) describe(node *corev1.Node) {
	if !e.managed || node.DeletionTimestamp != nil {
		return
	}
	if node.Annotations == nil {
		node.Annotations = map[string]string{}
	}
	node.Labels[etcdLabel] = "true"
	node.Annotations[memberName], node.Annotations[memberAddress] = e.name, e.agent.NodeIP
}

// hold makes the deletion of a Node wait until its member, if it has one, has been removed. K3s does so for every Node.
func (e *etcd) hold(node *corev1.Node) {
	if e.managed && node.DeletionTimestamp == nil && !slices.Contains(node.Finalizers, memberFinalizer) {
		node.Finalizers = append(node.Finalizers, memberFinalizer)
	}
}

// answerRemoval removes the member of a Node whose annotation asks for it, and answers with another annotation. For the
// only voter it refuses and removes the annotation; after any other error the annotation stays, and it tries again.
func (e *etcd) answerRemoval(ctx context.Context, node *corev1.Node) {
	if _, ok := node.Labels[etcdLabel]; !ok || !e.managed || node.DeletionTimestamp != nil {
		return
	}
	asked, ok := node.Annotations[removeMember]
	if !ok {
		return
	}
	if removed, ok := node.Annotations[removedMember]; ok {
		// From an earlier removal. A member that has joined since then has another name and needs a new request.
		if removed != node.Annotations[memberName] {
			delete(node.Annotations, removedMember)
			delete(node.Annotations, removeMember)
		}
		return
	}
	if strings.ToLower(asked) != "true" {
		return
	}
	name := node.Annotations[memberName]
	switch err := e.remove(ctx, node); {
	case errors.Is(err, rpctypes.ErrMemberNotEnoughStarted):
		logrus.Errorf("etcd member removal rejected, clearing remove annotation: %v", err)
		delete(node.Annotations, removeMember)
	case err != nil:
		logrus.Errorf("Unable to remove etcd member of node %s: %v", node.Name, err)
	default:
		node.Annotations[removedMember] = name
		delete(node.Annotations, removeMember)
		delete(node.Annotations, memberName)
		delete(node.Annotations, memberAddress)
	}
}

// answerDeletion removes the member of a server whose Node is being deleted. If it cannot, the Node stays: for the only
// voter, forever.
func (e *etcd) answerDeletion(ctx context.Context, node *corev1.Node) {
	if node.DeletionTimestamp == nil || !slices.Contains(node.Finalizers, memberFinalizer) {
		return
	}
	if _, isMember := node.Labels[etcdLabel]; isMember && node.Annotations[removedMember] == "" {
		if err := e.remove(ctx, node); err != nil {
			logrus.Errorf("Unable to remove etcd member of deleted node %s: %v", node.Name, err)
			return
		}
	}
	node.Finalizers = slices.DeleteFunc(node.Finalizers, func(name string) bool { return name == memberFinalizer })
}

// remove removes a Node's member from the cluster. If it leads, another member becomes the leader first. A member that
// is already removed is no error.
func (e *etcd) remove(ctx context.Context, node *corev1.Node) error {
	name, address := node.Annotations[memberName], node.Annotations[memberAddress]
	if name == "" || address == "" {
		return fmt.Errorf("node name or address annotation for node %s not found", node.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, removalTimeout)
	defer cancel()
	client, err := e.client(ctx, localEtcd)
	if err != nil {
		return err
	}
	defer client.Close()
	list, err := client.MemberList(ctx)
	if err != nil {
		return err
	}
	var found *etcdserverpb.Member
	var others []*etcdserverpb.Member
	for _, member := range list.Members {
		switch {
		case member.Name == name && isAt(member, address):
			found = member
		case !member.IsLearner:
			others = append(others, member)
		}
	}
	if found == nil {
		return nil
	}
	status, err := client.Status(ctx, localEtcd)
	if err != nil {
		return err
	}
	if status.Leader == found.ID {
		if len(others) == 0 {
			return rpctypes.ErrMemberNotEnoughStarted
		}
		if err := e.moveLeader(ctx, found, others[0]); err != nil {
			return err
		}
	}
	logrus.Infof("Removing name=%s id=%d address=%s from etcd", found.Name, found.ID, address)
	if _, err = client.MemberRemove(ctx, found.ID); errors.Is(err, rpctypes.ErrMemberNotFound) {
		return nil
	}
	return err
}

// moveLeader calls the leader itself: etcd accepts this only there.
func (e *etcd) moveLeader(ctx context.Context, from, to *etcdserverpb.Member) error {
	client, err := e.client(ctx, from.ClientURLs...)
	if err != nil {
		return err
	}
	defer client.Close()
	logrus.Infof("Moving etcd cluster leader from %s to %s", from.Name, to.Name)
	_, err = client.MoveLeader(ctx, to.ID)
	return err
}

func isAt(member *etcdserverpb.Member, address string) bool {
	return slices.ContainsFunc(member.PeerURLs, func(peer string) bool {
		parsed, err := url.Parse(peer)
		return err == nil && parsed.Hostname() == address
	})
}
