package server

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"k3s-standin/internal/supervisor"
)

const (
	controlPlaneLabel  = "node-role.kubernetes.io/control-plane"
	etcdLabel          = "node-role.kubernetes.io/etcd"
	uninitializedTaint = "node.cloudprovider.kubernetes.io/uninitialized"
)

// startControllers starts what K3s runs besides Kubernetes' own controllers: the rights of its agents, its cloud
// controller's part in a node's start, the node passwords and the etcd members.
func (s *server) startControllers(ctx context.Context) error {
	if err := s.ensureAgentRole(ctx); err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(s.client, 10*time.Minute)
	nodes := factory.Core().V1().Nodes()
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	_, err := nodes.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { notify() }, UpdateFunc: func(any, any) { notify() },
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	go s.manageVoters(ctx, nodes.Lister())
	go func() {
		for {
			all, err := nodes.Lister().List(labels.Everything())
			if err == nil {
				for _, node := range all {
					s.adopt(ctx, node.DeepCopy())
				}
				err = errors.Join(s.publishAddresses(ctx, all), supervisor.OwnPasswords(ctx, s.client, all))
			}
			if err != nil && ctx.Err() == nil {
				logrus.Warnf("Node controllers: %v", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-changed:
			case <-time.After(10 * time.Second):
			}
		}
	}()
	return nil
}

// adopt sets on a new Node what K3s' cloud controller sets, on this server's Node its role, and removes etcd members on
// request. Every server does it for every Node, so nothing waits for an election. K3s elects one server for it.
func (s *server) adopt(ctx context.Context, node *corev1.Node) {
	before, _ := json.Marshal(node)
	if node.Labels == nil {
		node.Labels = map[string]string{}
	}
	if node.Name == s.agent.NodeName {
		node.Labels[controlPlaneLabel] = "true"
		s.etcd.describe(node)
	}
	s.etcd.hold(node)
	if !s.cluster.DisableCCM {
		if node.Spec.ProviderID == "" {
			node.Spec.ProviderID = "k3s://" + node.Name
		}
		for _, label := range []string{"node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"} {
			node.Labels[label] = "k3s"
		}
		var taints []corev1.Taint
		for _, taint := range node.Spec.Taints {
			if taint.Key != uninitializedTaint {
				taints = append(taints, taint)
			}
		}
		node.Spec.Taints = taints
	}
	s.etcd.answerRemoval(ctx, node)
	s.etcd.answerDeletion(ctx, node)
	after, _ := json.Marshal(node)
	if string(before) == string(after) {
		return
	}
	// If others have changed the Node meanwhile, its resourceVersion causes a conflict; the next event tries again.
	if _, err := s.client.CoreV1().Nodes().Update(ctx, node, metav1.UpdateOptions{}); err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		logrus.Warnf("Failed to set up node %s: %v", node.Name, err)
	}
}

// ensureAgentRole lets agents read what their routes and load balancer need.
func (s *server) ensureAgentRole(ctx context.Context) error {
	const name = "system:k3s-controller"
	meta := metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole"}
	role := rbacv1.ClusterRole{TypeMeta: meta, ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"nodes", "pods", "namespaces"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"get", "list", "watch"}},
	}}
	meta.Kind = "ClusterRoleBinding"
	binding := rbacv1.ClusterRoleBinding{TypeMeta: meta, ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}}}
	force := true
	how := metav1.PatchOptions{FieldManager: "k3s-standin", Force: &force}
	text, err := json.Marshal(role)
	if err != nil {
		return err
	}
	if _, err := s.client.RbacV1().ClusterRoles().Patch(ctx, name, types.ApplyPatchType, text, how); err != nil {
		return err
	}
	if text, err = json.Marshal(binding); err != nil {
		return err
	}
	_, err = s.client.RbacV1().ClusterRoleBindings().Patch(ctx, name, types.ApplyPatchType, text, how)
	return err
}
