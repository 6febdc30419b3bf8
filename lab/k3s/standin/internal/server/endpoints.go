package server

import (
	"context"
	"encoding/json"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// publishAddresses writes the endpoints of the `kubernetes` service: the supervisor's port on every server that is not
// lost. The API server's own reconciler would write the API server's port, which is open only on loopback.
func (s *server) publishAddresses(ctx context.Context, nodes []*corev1.Node) error {
	addresses := []string{s.advertiseAddress}
	for _, node := range nodes {
		if _, ok := node.Labels[controlPlaneLabel]; !ok || node.Name == s.agent.NodeName {
			continue
		}
		if isLost(node) {
			continue
		}
		for _, address := range node.Status.Addresses {
			if address.Type == corev1.NodeInternalIP {
				addresses = append(addresses, address.Address)
			}
		}
	}
	slices.Sort(addresses)
	addresses = slices.Compact(addresses)
	if slices.Equal(addresses, s.published) {
		return nil
	}
	name, tcp, number, ready := "https", corev1.ProtocolTCP, int32(port), true
	slice := discoveryv1.EndpointSlice{
		TypeMeta:    metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta:  metav1.ObjectMeta{Name: "kubernetes", Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Protocol: &tcp, Port: &number}},
	}
	for _, address := range addresses {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}})
	}
	text, err := json.Marshal(slice)
	if err != nil {
		return err
	}
	force := true
	_, err = s.client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).Patch(ctx, slice.Name, types.ApplyPatchType, text,
		metav1.PatchOptions{FieldManager: "k3s-standin", Force: &force})
	if err == nil {
		s.published = addresses
	}
	return err
}

// isLost tells whether the kubelet of a Node has not reported for so long that the cluster considers it dead.
func isLost(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(condition corev1.NodeCondition) bool {
		return condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionUnknown
	})
}
