package supervisor

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/scrypt"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	coreNotReady = "runtime core not ready"
	// SecretType and SecretSuffix are those of K3s.
	SecretType   = "k3s.cattle.io/node-password"
	SecretSuffix = ".node-password.k3s"
	// PasswordFile is the file with a machine's node password.
	PasswordFile = "/etc/rancher/node/password"
	// orphanAge is how long a password whose Node never registered is kept.
	orphanAge = 10 * time.Minute
)

// verifiedNode returns the name of the calling node, if its password is the one of the first call with that name.
// Otherwise it has sent an answer: 401 if the caller's Node is gone, 403 if the password differs, 503 if the API is not
// up.
func (s *Supervisor) verifiedNode(response http.ResponseWriter, request *http.Request) (string, bool) {
	refuse := func(code int, message string) (string, bool) {
		SendError(response, code, message)
		return "", false
	}
	name, password := strings.ToLower(request.Header.Get("k3s-Node-Name")), request.Header.Get("k3s-Node-Password")
	if name == "" {
		return refuse(http.StatusBadRequest, "node name not set")
	}
	if password == "" {
		return refuse(http.StatusBadRequest, "node password not set")
	}
	id, _ := identityOf(request)
	ownNode, byNode := strings.CutPrefix(id.user, "system:node:")
	if byNode && ownNode != name {
		return refuse(http.StatusBadRequest, "header node name does not match auth node name")
	}
	client := s.Client()
	if client == nil {
		if name != s.NodeName {
			return refuse(http.StatusServiceUnavailable, coreNotReady)
		}
		return s.verifyLocally(name, password, refuse)
	}
	ctx, cancel := context.WithTimeout(request.Context(), 5*time.Second)
	defer cancel()
	if byNode {
		if _, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{}); err != nil {
			return refuse(http.StatusUnauthorized, "unable to verify node identity: "+err.Error())
		}
	}
	if err := ensurePassword(ctx, client, name, password); err != nil {
		return refuse(http.StatusForbidden, fmt.Sprintf("unable to verify password for node %s: %v", name, err))
	}
	return name, true
}

// verifyLocally checks a starting server's own node by its file, and makes the secret once the API is up.
func (s *Supervisor) verifyLocally(name, password string, refuse func(int, string) (string, bool)) (string, bool) {
	stored, err := os.ReadFile(PasswordFile)
	if err != nil {
		return refuse(http.StatusInternalServerError, "unable to read node password file: "+err.Error())
	}
	if subtle.ConstantTimeCompare([]byte(strings.TrimSpace(string(stored))), []byte(password)) != 1 {
		return refuse(http.StatusForbidden, "unable to verify local node password")
	}
	go func() {
		for {
			time.Sleep(time.Second)
			client := s.Client()
			if client == nil {
				continue
			}
			err := ensurePassword(context.Background(), client, name, password)
			if err == nil {
				return
			}
			logrus.Warnf("Failed to ensure node-password secret for node %s: %v", name, err)
		}
	}()
	return name, true
}

func ensurePassword(ctx context.Context, client kubernetes.Interface, name, password string) error {
	secrets := client.CoreV1().Secrets(metav1.NamespaceSystem)
	secret, err := secrets.Get(ctx, name+SecretSuffix, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		hash, err := createHash(password)
		if err != nil {
			return err
		}
		immutable := true
		_, err = secrets.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: name + SecretSuffix, Namespace: metav1.NamespaceSystem},
			Immutable:  &immutable, Type: SecretType, Data: map[string][]byte{"hash": []byte(hash)},
		}, metav1.CreateOptions{})
		if !apierrors.IsAlreadyExists(err) {
			return err
		}
		secret, err = secrets.Get(ctx, name+SecretSuffix, metav1.GetOptions{})
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	return verifyHash(string(secret.Data["hash"]), password)
}

// OwnPasswords makes each Node the owner of its password, so that both are deleted together, and removes those without Node.
func OwnPasswords(ctx context.Context, client kubernetes.Interface, nodes []*corev1.Node) error {
	byName := map[string]*corev1.Node{}
	for _, node := range nodes {
		byName[node.Name] = node
	}
	secrets := client.CoreV1().Secrets(metav1.NamespaceSystem)
	found, err := secrets.List(ctx, metav1.ListOptions{FieldSelector: "type=" + SecretType})
	if err != nil {
		return err
	}
	for i := range found.Items {
		secret := &found.Items[i]
		if len(secret.OwnerReferences) > 0 {
			continue
		}
		node, ok := byName[strings.TrimSuffix(secret.Name, SecretSuffix)]
		if ok {
			secret.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID}}
			_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{})
		} else if time.Since(secret.CreationTimestamp.Time) > orphanAge {
			err = secrets.Delete(ctx, secret.Name, metav1.DeleteOptions{})
		}
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return err
		}
	}
	return nil
}

// Hashes have K3s' form: `$1:<salt hex>:<log N>:<r>:<p>:<base64>`.
const (
	hashLogN, hashR, hashP = 15, 8, 1
	hashFormat             = "$%d:%x:%d:%d:%d:%s"
)

func createHash(password string) (string, error) {
	salt := make([]byte, 8)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	sum, err := scrypt.Key([]byte(password), salt, 1<<hashLogN, hashR, hashP, 64)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(hashFormat, 1, salt, hashLogN, hashR, hashP, base64.RawStdEncoding.EncodeToString(sum)), nil
}

func verifyHash(hash, password string) error {
	parts := strings.Split(hash, ":")
	if len(parts) != 6 || parts[0] != "$1" {
		return fmt.Errorf("hash format not recognised")
	}
	salt, err := hex.DecodeString(parts[1])
	if err != nil {
		return err
	}
	var logN, r, p int
	if _, err := fmt.Sscanf(strings.Join(parts[2:5], " "), "%d %d %d", &logN, &r, &p); err != nil || logN > 20 {
		return fmt.Errorf("hash format not recognised")
	}
	sum, err := scrypt.Key([]byte(password), salt, 1<<logN, r, p, 64)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(base64.RawStdEncoding.EncodeToString(sum)), []byte(parts[5])) != 1 {
		return fmt.Errorf("hash does not match")
	}
	return nil
}
