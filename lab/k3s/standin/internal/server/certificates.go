package server

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"k3s-standin/internal/agent"
	"k3s-standin/internal/pki"
)

// requestHeaderName is the only proxy from which the API server accepts the caller's identity.
const requestHeaderName = "system:auth-proxy"

type authorities struct {
	clientCA, serverCA, requestHeaderCA, etcdServerCA, etcdPeerCA *pki.Authority
}

// sharedFiles are the same on all servers of a cluster: whoever has them can make any certificate.
var sharedFiles = []string{
	"tls/client-ca.crt", "tls/client-ca.key", "tls/server-ca.crt", "tls/server-ca.key",
	"tls/request-header-ca.crt", "tls/request-header-ca.key", "tls/etcd/server-ca.crt", "tls/etcd/server-ca.key",
	"tls/etcd/peer-ca.crt", "tls/etcd/peer-ca.key", "tls/service.key", "cred/encryption-config.json",
}

// ensureCertificates makes the certificates below server/tls and server/cred that are missing or expire soon.
func ensureCertificates(o options) (*authorities, error) {
	a := &authorities{}
	for _, ca := range []struct {
		target **pki.Authority
		base   string
		prefix string
	}{
		{&a.clientCA, o.file("tls", "client-ca"), "k3s-client"},
		{&a.serverCA, o.file("tls", "server-ca"), "k3s-server"},
		{&a.requestHeaderCA, o.file("tls", "request-header-ca"), "k3s-request-header"},
		{&a.etcdServerCA, o.file("tls", "etcd", "server-ca"), "etcd-server"},
		{&a.etcdPeerCA, o.file("tls", "etcd", "peer-ca"), "etcd-peer"},
	} {
		made, err := pki.EnsureAuthority(ca.base, ca.prefix)
		if err != nil {
			return nil, err
		}
		*ca.target = made
	}
	local := []string{"localhost", "127.0.0.1", "::1"}
	etcdNames := append([]string{o.agent.NodeName, o.agent.NodeIP}, local...)
	for _, leaf := range []struct {
		by      *pki.Authority
		name    string
		profile pki.Profile
	}{
		{a.serverCA, "serving-supervisor", pki.Profile{CommonName: "k3s", Organizations: []string{"k3s"}, SANs: o.sans, Usages: pki.Server}},
		{a.serverCA, "serving-kube-apiserver", pki.Profile{CommonName: "kube-apiserver", SANs: o.sans, Usages: pki.Server}},
		{a.serverCA, "serving-kube-controller-manager", pki.Profile{CommonName: "kube-controller-manager", SANs: local, Usages: pki.Server}},
		{a.serverCA, "serving-kube-scheduler", pki.Profile{CommonName: "kube-scheduler", SANs: local, Usages: pki.Server}},
		{a.clientCA, "client-admin", pki.Profile{CommonName: adminUser, Organizations: []string{masters}, Usages: pki.Client}},
		{a.clientCA, "client-supervisor", pki.Profile{CommonName: "system:k3s-supervisor", Organizations: []string{masters}, Usages: pki.Client}},
		{a.clientCA, "client-controller", pki.Profile{CommonName: "system:kube-controller-manager", Usages: pki.Client}},
		{a.clientCA, "client-scheduler", pki.Profile{CommonName: "system:kube-scheduler", Usages: pki.Client}},
		{a.clientCA, "client-kube-apiserver", pki.Profile{CommonName: "system:apiserver", Organizations: []string{masters}, Usages: pki.Client}},
		{a.requestHeaderCA, "client-auth-proxy", pki.Profile{CommonName: requestHeaderName, Usages: pki.Client}},
		{a.etcdServerCA, "etcd/client", pki.Profile{CommonName: "etcd-client", Usages: pki.Client}},
		{a.etcdServerCA, "etcd/server-client", pki.Profile{CommonName: "etcd-server", SANs: etcdNames, Usages: pki.Peer}},
		{a.etcdPeerCA, "etcd/peer-server-client", pki.Profile{CommonName: "etcd-peer", SANs: etcdNames, Usages: pki.Peer}},
	} {
		if err := leaf.by.EnsureLeaf(o.file("tls", leaf.name), leaf.profile); err != nil {
			return nil, fmt.Errorf("%s: %w", leaf.name, err)
		}
	}
	if _, err := pki.EnsureKey(o.file("tls", "service.key")); err != nil {
		return nil, err
	}
	for config, certificate := range map[string]string{
		"admin": "client-admin", "supervisor": "client-supervisor", "controller": "client-controller", "scheduler": "client-scheduler",
	} {
		err := agent.WriteKubeconfig(o.file("cred", config+".kubeconfig"), fmt.Sprintf("https://127.0.0.1:%d", apiPort),
			o.file("tls", "server-ca.crt"), o.file("tls", certificate), "local")
		if err != nil {
			return nil, err
		}
	}
	return a, ensureEncryption(o)
}

// ensureEncryption makes the key with which the API server writes Secrets to the datastore.
func ensureEncryption(o options) error {
	file := o.file("cred", "encryption-config.json")
	if _, err := os.Stat(file); !o.encryptSecrets || !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	text, err := json.Marshal(map[string]any{
		"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1",
		"resources": []any{map[string]any{"resources": []string{"secrets"}, "providers": []any{
			map[string]any{"aescbc": map[string]any{"keys": []any{map[string]string{"name": "aescbckey", "secret": base64.StdEncoding.EncodeToString(key)}}}},
			map[string]any{"identity": map[string]any{}},
		}}},
	})
	if err != nil {
		return err
	}
	return pki.WriteFile(file, text)
}

// writeKubeconfig writes the administrator's kubeconfig, which contains its certificate.
func (s *server) writeKubeconfig() error {
	config := clientcmdapi.NewConfig()
	ca, err := s.serverCA.PEM()
	if err != nil {
		return err
	}
	certificate, err := os.ReadFile(s.file("tls", "client-admin.crt"))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(s.file("tls", "client-admin.key"))
	if err != nil {
		return err
	}
	config.Clusters["default"] = &clientcmdapi.Cluster{Server: fmt.Sprintf("https://127.0.0.1:%d", port), CertificateAuthorityData: ca}
	config.AuthInfos["default"] = &clientcmdapi.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key}
	config.Contexts["default"] = &clientcmdapi.Context{Cluster: "default", AuthInfo: "default"}
	config.CurrentContext = "default"
	text, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	mode := uint64(0o600)
	if s.kubeconfigMode != "" {
		if mode, err = strconv.ParseUint(s.kubeconfigMode, 8, 32); err != nil {
			return fmt.Errorf("write-kubeconfig-mode: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(s.kubeconfig), 0o755); err != nil {
		return err
	}
	if err := pki.WriteFile(s.kubeconfig, text); err != nil {
		return err
	}
	return os.Chmod(s.kubeconfig, os.FileMode(mode))
}
