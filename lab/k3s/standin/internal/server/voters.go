package server

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sirupsen/logrus"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	listers "k8s.io/client-go/listers/core/v1"
)

// isVoter is the condition of a server's Node for its etcd member.
const isVoter corev1.NodeConditionType = "EtcdIsVoter"

const (
	// conditionsEvery and heartbeatEvery are K3s' values. K3s promotes learners only as often as it checks the conditions;
	// here a join need not wait for that.
	conditionsEvery = 15 * time.Second
	promoteEvery    = time.Second
	heartbeatEvery  = 5 * time.Minute
)

// manageVoters promotes learners that have caught up to voters, and sets on each server's Node whether its member votes.
// As in K3s, the leader of the members does it for all.
func (s *server) manageVoters(ctx context.Context, nodes listers.NodeLister) {
	if !s.etcd.managed {
		return
	}
	client, err := s.etcd.client(ctx, localEtcd)
	if err != nil {
		logrus.Errorf("Learners are not managed: %v", err)
		return
	}
	defer client.Close()
	var described time.Time
	for sleep(ctx, promoteEvery) {
		pass, cancel := context.WithTimeout(ctx, conditionsEvery)
		if members, leads := s.membersWhereLeading(pass, client); leads {
			promote(pass, client, members)
			if time.Since(described) >= conditionsEvery {
				described = time.Now()
				s.describeVoters(pass, client, members, nodes)
			}
		}
		cancel()
	}
}

func (s *server) membersWhereLeading(ctx context.Context, client *clientv3.Client) ([]*etcdserverpb.Member, bool) {
	status, err := client.Status(ctx, localEtcd)
	if err != nil || status.Header.MemberId != status.Leader {
		return nil, false
	}
	list, err := client.MemberList(ctx)
	if err != nil {
		logrus.Errorf("Failed to get etcd members for learner management: %v", err)
		return nil, false
	}
	return list.Members, true
}

// promote tries to promote learners; etcd refuses one that has not caught up.
func promote(ctx context.Context, client *clientv3.Client, members []*etcdserverpb.Member) {
	for _, member := range members {
		if !member.IsLearner {
			continue
		}
		if _, err := client.MemberPromote(ctx, member.ID); err == nil {
			logrus.Infof("Promoted learner %s", member.Name)
		}
	}
}

func (s *server) describeVoters(ctx context.Context, client *clientv3.Client, members []*etcdserverpb.Member, nodes listers.NodeLister) {
	servers, err := nodes.List(labels.SelectorFromSet(labels.Set{etcdLabel: "true"}))
	if err != nil {
		logrus.Warnf("Failed to list nodes with etcd role: %v", err)
		return
	}
	for _, node := range servers {
		condition := voterCondition(ctx, client, node.Annotations[memberName], members)
		if err := s.setCondition(ctx, node, condition); err != nil {
			logrus.Errorf("Unable to set etcd status condition %s: %v", node.Name, err)
		}
	}
}

// voterCondition returns K3s' condition of the member with that name. Like K3s, it checks only the health of its own
// member, so the member of a dead machine stays a voter here.
func voterCondition(ctx context.Context, client *clientv3.Client, name string, members []*etcdserverpb.Member) corev1.NodeCondition {
	for _, member := range members {
		if name == "" || member.Name != name {
			continue
		}
		if len(member.ClientURLs) == 0 {
			return condition(corev1.ConditionFalse, "Unhealthy", "etcd member ClientURLs list is empty")
		}
		if _, err := client.Status(ctx, localEtcd); err != nil {
			return condition(corev1.ConditionFalse, "Unhealthy", "failed to check etcd member status: "+err.Error())
		}
		if member.IsLearner {
			return condition(corev1.ConditionFalse, "MemberIsLearner", "Node has not been promoted to voting member of the etcd cluster")
		}
		return condition(corev1.ConditionTrue, "MemberNotLearner", "Node is a voting member of the etcd cluster")
	}
	return condition(corev1.ConditionFalse, "NotAMember", "Node is not a member of the etcd cluster")
}

func condition(status corev1.ConditionStatus, reason, message string) corev1.NodeCondition {
	return corev1.NodeCondition{Type: isVoter, Status: status, Reason: reason, Message: message}
}

// setCondition writes the condition if it has changed, and otherwise only renews its heartbeat from time to time.
func (s *server) setCondition(ctx context.Context, node *corev1.Node, wanted corev1.NodeCondition) error {
	now := metav1.Now()
	wanted.LastTransitionTime, wanted.LastHeartbeatTime = now, now
	for _, has := range node.Status.Conditions {
		if has.Type != isVoter || has.Status != wanted.Status || has.Reason != wanted.Reason || has.Message != wanted.Message {
			continue
		}
		if now.Sub(has.LastHeartbeatTime.Time) < heartbeatEvery {
			return nil
		}
		wanted.LastTransitionTime = has.LastTransitionTime
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []corev1.NodeCondition{wanted}}})
	if err != nil {
		return err
	}
	_, err = s.client.CoreV1().Nodes().Patch(ctx, node.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}
