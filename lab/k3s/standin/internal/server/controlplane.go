package server

import (
	"fmt"
	"strings"
)

// startAPIServer starts kube-apiserver with K3s' arguments; a kube-apiserver-arg of the configuration overrides them.
func (s *server) startAPIServer() error {
	tls := func(name string) string { return s.file("tls", name) }
	issuer := "https://kubernetes.default.svc." + s.cluster.ClusterDomain
	args := []string{
		"--advertise-address=" + s.advertiseAddress, "--endpoint-reconciler-type=none", // see publishAddresses
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", apiPort), "--cert-dir=" + tls("temporary-certs"),
		"--allow-privileged=true", "--anonymous-auth=false", "--authorization-mode=Node,RBAC",
		"--enable-bootstrap-token-auth=true", "--enable-admission-plugins=NodeRestriction", "--profiling=false",
		"--client-ca-file=" + tls("client-ca.crt"),
		"--tls-cert-file=" + tls("serving-kube-apiserver.crt"), "--tls-private-key-file=" + tls("serving-kube-apiserver.key"),
		"--etcd-servers=https://127.0.0.1:2379", "--etcd-cafile=" + tls("etcd/server-ca.crt"),
		"--etcd-certfile=" + tls("etcd/client.crt"), "--etcd-keyfile=" + tls("etcd/client.key"),
		"--kubelet-certificate-authority=" + tls("server-ca.crt"),
		"--kubelet-client-certificate=" + tls("client-kube-apiserver.crt"), "--kubelet-client-key=" + tls("client-kube-apiserver.key"),
		"--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
		"--requestheader-client-ca-file=" + tls("request-header-ca.crt"), "--requestheader-allowed-names=" + requestHeaderName,
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + tls("client-auth-proxy.crt"), "--proxy-client-key-file=" + tls("client-auth-proxy.key"),
		"--service-account-issuer=" + issuer, "--api-audiences=" + issuer + ",k3s",
		"--service-account-key-file=" + tls("service.key"), "--service-account-signing-key-file=" + tls("service.key"),
		"--service-cluster-ip-range=" + s.cluster.ServiceIPRange, "--service-node-port-range=" + s.nodePorts,
		// No person uses the loopback port, and the default would delay each stop by a minute.
		"--shutdown-delay-duration=0s",
	}
	if s.encryptSecrets {
		args = append(args, "--encryption-provider-config="+s.file("cred", "encryption-config.json"))
	}
	return s.group.StartSelf("kube-apiserver", append(args, flagArgs(s.apiServerArgs)...))
}

// startManagers starts kube-controller-manager and kube-scheduler. A server that no other can join needs no leader
// election, and starts faster without it.
func (s *server) startManagers() error {
	tls := func(name string) string { return s.file("tls", name) }
	elect := fmt.Sprintf("--leader-elect=%t", s.etcd.managed)
	config := s.file("cred", "controller.kubeconfig")
	controllers := "*,tokencleaner"
	if !s.cluster.DisableCCM {
		controllers += ",-service-lb-controller,-node-route-controller,-cloud-node-lifecycle-controller"
	}
	args := []string{
		"--kubeconfig=" + config, "--authorization-kubeconfig=" + config, "--authentication-kubeconfig=" + config,
		"--bind-address=127.0.0.1", "--secure-port=10257", "--profiling=false", elect, "--controllers=" + controllers,
		"--tls-cert-file=" + tls("serving-kube-controller-manager.crt"), "--tls-private-key-file=" + tls("serving-kube-controller-manager.key"),
		"--service-account-private-key-file=" + tls("service.key"), "--use-service-account-credentials=true",
		"--allocate-node-cidrs=true", "--cluster-cidr=" + s.cluster.ClusterIPRange, "--service-cluster-ip-range=" + s.cluster.ServiceIPRange,
		"--root-ca-file=" + tls("server-ca.crt"),
	}
	for signer, ca := range map[string]string{
		"kube-apiserver-client": "client-ca", "kubelet-client": "client-ca", "kubelet-serving": "server-ca", "legacy-unknown": "server-ca",
	} {
		args = append(args, "--cluster-signing-"+signer+"-cert-file="+tls(ca+".crt"), "--cluster-signing-"+signer+"-key-file="+tls(ca+".key"))
	}
	if err := s.group.StartSelf("kube-controller-manager", append(args, flagArgs(s.controllerArgs)...)); err != nil {
		return err
	}
	config = s.file("cred", "scheduler.kubeconfig")
	args = []string{
		"--kubeconfig=" + config, "--authorization-kubeconfig=" + config, "--authentication-kubeconfig=" + config,
		"--bind-address=127.0.0.1", "--secure-port=10259", "--profiling=false", elect,
		"--tls-cert-file=" + tls("serving-kube-scheduler.crt"), "--tls-private-key-file=" + tls("serving-kube-scheduler.key"),
	}
	return s.group.StartSelf("kube-scheduler", append(args, flagArgs(s.schedulerArgs)...))
}

func flagArgs(args []string) []string {
	flags := make([]string, 0, len(args))
	for _, arg := range args {
		flags = append(flags, "--"+strings.TrimLeft(arg, "-"))
	}
	return flags
}
