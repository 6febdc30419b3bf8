package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"k3s-standin/internal/agent"
	"k3s-standin/internal/pki"
	"k3s-standin/internal/token"
)

// tokens are the passwords in the server's and the agents' token.
type tokens struct {
	server, agent string
	// full is the server token as it was given: a joining server compares the other's CA with it.
	full string
}

// readTokens reads the tokens from flags and files, or else the server token of the last start, or else makes one.
func readTokens(ctx context.Context, c *cli.Context, o options) (*tokens, error) {
	full, err := agent.ReadToken(ctx, c.String("token"), c.String("token-file"))
	if err != nil {
		return nil, err
	}
	if full == "" {
		stored, err := os.ReadFile(o.file("token"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		full = strings.TrimSpace(string(stored))
	}
	if full == "" {
		if o.joinURL != "" {
			return nil, errors.New("--token is required")
		}
		random := make([]byte, 16)
		if _, err := rand.Read(random); err != nil {
			return nil, err
		}
		full = hex.EncodeToString(random)
	}
	agentToken, err := agent.ReadToken(ctx, c.String("agent-token"), c.String("agent-token-file"))
	if err != nil {
		return nil, err
	}
	t := &tokens{full: full}
	if t.server, err = password(full); err != nil {
		return nil, err
	}
	if t.agent = t.server; agentToken != "" {
		t.agent, err = password(agentToken)
	}
	return t, err
}

func password(text string) (string, error) {
	parsed, err := token.Parse(text)
	if err != nil {
		return "", err
	}
	if parsed.Bootstrap != "" {
		return "", errors.New("a server's token cannot be a bootstrap token")
	}
	return parsed.Password, nil
}

// checkUnchanged refuses a start with another server token than that of the cluster's first start. K3s notices it
// because the token decrypts the CAs in its datastore; the stand-in keeps a hash.
func (t *tokens) checkUnchanged(file string) error {
	stored, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return t.remember(file)
	}
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(stored)) != hashOf(t.server) {
		return errors.New("bootstrap data already found and encrypted with different token")
	}
	return nil
}

func (t *tokens) remember(file string) error {
	return pki.WriteFile(file, []byte(hashOf(t.server)+"\n"))
}

// write writes the full tokens to K3s' files: server/token, node-token as a link to it, agent-token.
func (t *tokens) write(dir string, ca []byte) error {
	if err := pki.WriteFile(filepath.Join(dir, "token"), []byte(token.Format("server:"+t.server, ca)+"\n")); err != nil {
		return err
	}
	if err := link("token", filepath.Join(dir, "node-token")); err != nil {
		return err
	}
	if t.agent == t.server {
		return link("token", filepath.Join(dir, "agent-token"))
	}
	return pki.WriteFile(filepath.Join(dir, "agent-token"), []byte(token.Format("node:"+t.agent, ca)+"\n"))
}

func link(target, name string) error {
	if old, err := os.Readlink(name); err == nil && old == target {
		return nil
	}
	if err := os.RemoveAll(name); err != nil {
		return err
	}
	return os.Symlink(target, name)
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte("k3s-standin\x00" + text))
	return hex.EncodeToString(sum[:])
}
