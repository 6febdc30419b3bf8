package agent

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"k3s-standin/internal/pki"
	"k3s-standin/internal/supervisor"
	"k3s-standin/internal/token"
)

// fetchCertificates gets certificates for the node's keys from the supervisor at every start, and writes its kubeconfigs.
func (n *Node) fetchCertificates(client *token.Client) error {
	for _, name := range []string{"client-ca.crt", "server-ca.crt"} {
		text, err := client.Get("/v1-k3s/" + name)
		if err != nil {
			return err
		}
		if err := pki.WriteFile(n.file(name), text); err != nil {
			return err
		}
	}
	password, err := nodePassword()
	if err != nil {
		return err
	}
	header := http.Header{"k3s-Node-Name": {n.NodeName}, "k3s-Node-Password": {password}, "k3s-Node-Ip": {n.NodeIP}}
	canonical := http.Header{}
	for key, values := range header {
		canonical[http.CanonicalHeaderKey(key)] = values
	}
	for _, name := range []string{"serving-kubelet", "client-kubelet", "client-kube-proxy", "client-k3s-controller"} {
		key, err := pki.EnsureKey(n.file(name + ".key"))
		if err != nil {
			return err
		}
		request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
		if err != nil {
			return fmt.Errorf("failed to create certificate request %s: %w", n.file(name+".crt"), err)
		}
		signed, err := client.Do(http.MethodPost, "/v1-k3s/"+name+".crt", request, canonical)
		var status *token.StatusError
		if errors.As(err, &status) && status.Code == http.StatusForbidden && strings.HasSuffix(name, "kubelet") {
			return fmt.Errorf("Node password rejected, duplicate hostname or contents of '%s' may not match server node-passwd entry, "+
				"try enabling a unique node name with the --with-node-id flag", supervisor.PasswordFile)
		}
		if errors.As(err, &status) {
			return fmt.Errorf("%s/v1-k3s/%s.crt: %d %s", client.BaseURL, name, status.Code, http.StatusText(status.Code))
		}
		if err != nil {
			return err
		}
		if err := pki.WriteFile(n.file(name+".crt"), signed); err != nil {
			return err
		}
	}
	for config, certificate := range map[string]string{
		"kubelet": "client-kubelet", "kubeproxy": "client-kube-proxy", "k3scontroller": "client-k3s-controller",
	} {
		if err := WriteKubeconfig(n.file(config+".kubeconfig"), n.api, n.file("server-ca.crt"), n.file(certificate), "local"); err != nil {
			return err
		}
	}
	return nil
}

// WriteKubeconfig writes a kubeconfig of mode 0600 that names the CA and the certificate by file.
func WriteKubeconfig(file, server, ca, certificateBase, name string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: server, CertificateAuthority: ca}
	config.AuthInfos["user"] = &clientcmdapi.AuthInfo{ClientCertificate: certificateBase + ".crt", ClientKey: certificateBase + ".key"}
	config.Contexts["default"] = &clientcmdapi.Context{Cluster: name, AuthInfo: "user"}
	config.CurrentContext = "default"
	text, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return pki.WriteFile(file, text)
}

// nodePassword returns the machine's password, which is made once.
func nodePassword() (string, error) {
	text, err := os.ReadFile(supervisor.PasswordFile)
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	password := hex.EncodeToString(random)
	return password, pki.WriteFile(supervisor.PasswordFile, []byte(password+"\n"))
}
