package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/sirupsen/logrus"

	"k3s-standin/internal/pki"
	"k3s-standin/internal/token"
)

// handleBootstrap gives a joining server what all servers of a cluster share.
func (s *server) handleBootstrap(response http.ResponseWriter, request *http.Request) {
	if !s.etcd.managed {
		logrus.Warnf("Received HTTP bootstrap request from %s, but embedded etcd is not enabled.", request.RemoteAddr)
		http.Error(response, "etcd disabled", http.StatusBadRequest)
		return
	}
	files := map[string][]byte{}
	for _, name := range sharedFiles {
		text, err := os.ReadFile(s.file(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			http.Error(response, err.Error(), http.StatusInternalServerError)
			return
		}
		files[name] = text
	}
	_ = json.NewEncoder(response).Encode(files)
}

// bootstrapFrom takes them over from the server to join. A start that was cut off after that keeps them.
func (s *server) bootstrapFrom(url string) error {
	client, err := token.Connect(url, s.tokens.full, "", "")
	if err != nil {
		return fmt.Errorf("failed to validate token: %w", err)
	}
	client.User = "server"
	text, err := client.Get("/v1-k3s/server-bootstrap")
	if err != nil {
		return fmt.Errorf("failed to get bootstrap data from server: %w", err)
	}
	files := map[string][]byte{}
	if err := json.Unmarshal(text, &files); err != nil {
		return err
	}
	for _, name := range sharedFiles {
		if content, ok := files[name]; ok {
			if err := pki.WriteFile(s.file(name), content); err != nil {
				return err
			}
		}
	}
	return nil
}

// handleSnapshot serves `k3s etcd-snapshot`.
func (s *server) handleSnapshot(response http.ResponseWriter, request *http.Request) {
	name := request.URL.Query().Get("name")
	if strings.ContainsAny(name, "/*?[") || name == "" {
		http.Error(response, "invalid snapshot name", http.StatusBadRequest)
		return
	}
	file, err := s.etcd.snapshot(request.Context(), name)
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	logrus.Infof("Snapshot %s saved.", file)
	fmt.Fprint(response, file)
}

// handleTokenRotation serves `k3s token rotate`: the old token came as the caller's password.
func (s *server) handleTokenRotation(response http.ResponseWriter, request *http.Request) {
	var wanted struct{ NewToken string }
	if err := json.NewDecoder(request.Body).Decode(&wanted); err != nil || wanted.NewToken == "" {
		http.Error(response, "new token is required", http.StatusBadRequest)
		return
	}
	fresh, err := password(wanted.NewToken)
	if err == nil {
		err = s.rotate(fresh)
	}
	if err != nil {
		http.Error(response, err.Error(), http.StatusInternalServerError)
	}
}

func (s *server) rotate(fresh string) error {
	rotated := *s.tokens
	if rotated.agent == rotated.server {
		rotated.agent = fresh
	}
	rotated.server, rotated.full = fresh, fresh
	ca, err := s.serverCA.PEM()
	if err != nil {
		return err
	}
	if err := rotated.remember(s.file("cred", "token-hash")); err != nil {
		return err
	}
	if err := rotated.write(s.file(), ca); err != nil {
		return err
	}
	*s.tokens = rotated
	s.supervisor.SetTokens(rotated.server, rotated.agent)
	return nil
}
