package server

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"k3s-standin/internal/cmdline"
	"k3s-standin/internal/token"
)

const bootstrapPrefix = "bootstrap-token-"

// TokenActions are the subcommands of `k3s token`; they run on a server.
var TokenActions = map[string]cli.ActionFunc{"create": createToken, "list": listTokens, "delete": deleteToken, "rotate": rotateToken}

// SnapshotActions are the subcommands of `k3s etcd-snapshot`; they run on a server.
var SnapshotActions = map[string]cli.ActionFunc{"save": saveSnapshot, "ls": listSnapshots}

func serverFile(name ...string) string {
	return filepath.Join(append([]string{cmdline.DataDir, "server"}, name...)...)
}

func adminClient() (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", serverFile("cred", "admin.kubeconfig"))
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// createToken prints a token for joins, as the last line. It can be used until it expires.
func createToken(c *cli.Context) error {
	client, err := adminClient()
	if err != nil {
		return err
	}
	random := make([]byte, 11)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	text := hex.EncodeToString(random)
	id, secret := text[:6], text[6:]
	data := map[string]string{
		"token-id": id, "token-secret": secret, "usage-bootstrap-authentication": "true", "usage-bootstrap-signing": "true",
		"auth-extra-groups": "system:bootstrappers:k3s:default-node-token", "description": c.String("description"),
	}
	if ttl := c.Duration("ttl"); ttl > 0 {
		data["expiration"] = time.Now().Add(ttl).UTC().Format(time.RFC3339)
	}
	_, err = client.CoreV1().Secrets(metav1.NamespaceSystem).Create(c.Context, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: bootstrapPrefix + id, Namespace: metav1.NamespaceSystem},
		Type:       corev1.SecretTypeBootstrapToken, StringData: data,
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(serverFile("tls", "server-ca.crt"))
	if err != nil {
		return err
	}
	fmt.Println(token.Format(id+"."+secret, ca))
	return nil
}

func listTokens(c *cli.Context) error {
	client, err := adminClient()
	if err != nil {
		return err
	}
	found, err := client.CoreV1().Secrets(metav1.NamespaceSystem).List(c.Context,
		metav1.ListOptions{FieldSelector: "type=" + string(corev1.SecretTypeBootstrapToken)})
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 10, 4, 3, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, "TOKEN\tEXPIRES\tDESCRIPTION")
	for _, secret := range found.Items {
		fmt.Fprintf(table, "%s\t%s\t%s\n", secret.Data["token-id"], secret.Data["expiration"], secret.Data["description"])
	}
	return nil
}

func deleteToken(c *cli.Context) error {
	client, err := adminClient()
	if err != nil {
		return err
	}
	for _, id := range c.Args().Slice() {
		id, _, _ = strings.Cut(id, ".")
		if err := client.CoreV1().Secrets(metav1.NamespaceSystem).Delete(c.Context, bootstrapPrefix+id, metav1.DeleteOptions{}); err != nil {
			return err
		}
		fmt.Printf("bootstrap token %q deleted\n", id)
	}
	return nil
}

// rotateToken changes the current server token and server/token, but no token file of the configuration.
func rotateToken(c *cli.Context) error {
	client, err := connectLocally(c.String("token"))
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"NewToken": c.String("new-token")})
	if err != nil {
		return err
	}
	if _, err := client.Do(http.MethodPut, "/v1-k3s/token", body, nil); err != nil {
		return err
	}
	fmt.Println("Token rotated, restart k3s nodes with new token")
	return nil
}

func saveSnapshot(c *cli.Context) error {
	client, err := connectLocally(c.String("token"))
	if err != nil {
		return err
	}
	if !exists(serverFile(walDir)) {
		return errors.New(etcdDisabled)
	}
	file, err := client.Do(http.MethodPost, "/db/snapshot?name="+url.QueryEscape(c.String("name")), nil, nil)
	if err != nil {
		return err
	}
	logrus.Infof("Snapshot %s saved.", filepath.Base(string(file)))
	return nil
}

func listSnapshots(c *cli.Context) error {
	if !exists(serverFile(walDir)) {
		return errors.New(etcdDisabled)
	}
	folder := c.String("etcd-snapshot-dir")
	if folder == "" {
		folder = serverFile("db", "snapshots")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, "Name\tLocation\tSize\tCreated")
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\tfile://%s\t%d\t%s\n", info.Name(), file, info.Size(), info.ModTime().UTC().Format(time.RFC3339))
	}
	return nil
}

// connectLocally connects to this machine's supervisor with a server token, by default that of server/token.
func connectLocally(text string) (*token.Client, error) {
	if text == "" {
		stored, err := os.ReadFile(serverFile("token"))
		if err != nil {
			return nil, err
		}
		text = strings.TrimSpace(string(stored))
	}
	client, err := token.Connect(fmt.Sprintf("https://127.0.0.1:%d", port), text, "", "")
	if err != nil {
		return nil, err
	}
	client.User = "server"
	return client, nil
}
