package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/sirupsen/logrus"
)

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

// handleTokenRotation serves `k3s token rotate`: the caller's password is the old token.
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
