package remote

import (
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// clientConfig translates an endpoint for the SSH library. It fails before it dials, if a host key or a private key does
// not parse or an agent does not answer: a dead SSH_AUTH_SOCK fails every connection, even one with a private key, as in
// the release.
func (e *endpoint) clientConfig() (*ssh.ClientConfig, error) {
	config := &ssh.ClientConfig{
		User:            *e.User,
		Timeout:         time.Duration(*e.PerDialTimeout) * time.Second,
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // the release's behaviour without a hostKey
	}
	if e.HostKey != nil {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(*e.HostKey))
		if err != nil {
			return nil, fmt.Errorf("failed to parse host key: %w", err)
		}
		config.HostKeyCallback = ssh.FixedHostKey(key)
		// Only one algorithm, as in the release: an RSA key offers only "ssh-rsa", which current servers refuse.
		config.HostKeyAlgorithms = []string{key.Type()}
	}
	for _, add := range []func(*ssh.ClientConfig) error{e.addPrivateKey, e.addPassword, e.addAgent} {
		if err := add(config); err != nil {
			return nil, err
		}
	}
	return config, nil
}

func (e *endpoint) addPrivateKey(config *ssh.ClientConfig) error {
	if e.PrivateKey == nil {
		return nil
	}
	signer, err := parsePrivateKey(*e.PrivateKey, e.PrivateKeyPassword)
	if err != nil {
		return err
	}
	config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	return nil
}

func parsePrivateKey(key string, password *string) (ssh.Signer, error) {
	if password == nil {
		return ssh.ParsePrivateKey([]byte(key))
	}
	return ssh.ParsePrivateKeyWithPassphrase([]byte(key), []byte(*password))
}

func (e *endpoint) addPassword(config *ssh.ClientConfig) error {
	if e.Password == nil {
		return nil
	}
	answer := func(_, _ string, questions []string, _ []bool) ([]string, error) {
		answers := make([]string, len(questions))
		for i := range answers {
			answers[i] = *e.Password
		}
		return answers, nil
	}
	config.Auth = append(config.Auth, ssh.Password(*e.Password), ssh.KeyboardInteractive(answer))
	return nil
}

func (e *endpoint) addAgent(config *ssh.ClientConfig) error {
	path := os.Getenv("SSH_AUTH_SOCK")
	if e.AgentSocketPath != nil {
		path = *e.AgentSocketPath
	} else if path == "" {
		return nil
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	config.Auth = append(config.Auth, ssh.PublicKeysCallback(agent.NewClient(conn).Signers))
	return nil
}
