package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"reflect"

	"github.com/sirupsen/logrus"

	"k3s-standin/internal/pki"
	"k3s-standin/internal/supervisor"
	"k3s-standin/internal/token"
)

const bootstrapPath = "/v1-k3s/server-bootstrap"

// handleBootstrap sends a joining server the files that all servers of a cluster share.
func (s *server) handleBootstrap(response http.ResponseWriter, request *http.Request) {
	if !s.etcd.managed {
		logrus.Warnf("Received HTTP bootstrap request from %s, but embedded etcd is not enabled.", request.RemoteAddr)
		supervisor.SendError(response, http.StatusBadRequest, "etcd disabled")
		return
	}
	files := map[string][]byte{}
	for _, name := range sharedFiles {
		text, err := os.ReadFile(s.file(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			supervisor.SendError(response, http.StatusInternalServerError, err.Error())
			return
		}
		files[name] = text
	}
	_ = json.NewEncoder(response).Encode(files)
}

// bootstrap gets these files from the server to join, whose CA must match the token. Every refusal ends the start.
func (s *server) bootstrap() error {
	client, err := token.Connect(s.joinURL, s.tokens.full, "", "")
	if err != nil {
		return fmt.Errorf("failed to check if bootstrap data has been initialized: failed to validate token: %w", err)
	}
	if err := s.compareConfig(*client); err != nil {
		return fmt.Errorf("failed to validate server configuration: %w", err)
	}
	client.User = "server"
	text, err := client.Get(bootstrapPath)
	if err != nil {
		return err
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

// compareConfig fails if the server to join has other values for flags that must be the same on all. It asks as an agent.
func (s *server) compareConfig(client token.Client) error {
	client.User, client.Password = "node", s.tokens.agent
	text, err := client.Get("/v1-k3s/config")
	if err != nil {
		logrus.Warnf("Skipping cluster configuration validation: %v", err)
		return nil
	}
	var theirs supervisor.ClusterConfig
	if err := json.Unmarshal(text, &theirs); err != nil {
		return err
	}
	differ := false
	a, b := reflect.ValueOf(s.cluster), reflect.ValueOf(theirs)
	for i := range a.NumField() {
		if flag := a.Type().Field(i).Tag.Get("cli"); flag != "" && !a.Field(i).Equal(b.Field(i)) {
			logrus.Warnf("critical configuration mismatched: %s", flag)
			differ = true
		}
	}
	if differ {
		return errors.New("critical configuration value mismatch between servers")
	}
	return nil
}
