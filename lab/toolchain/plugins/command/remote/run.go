package remote

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	p "github.com/pulumi/pulumi-go-provider"
	"golang.org/x/crypto/ssh"
)

// run connects and runs one command to its end. The context limits only the dialling: it never ends a session.
//
// An error contains the whole command and everything it printed, whatever Logging is, as in the release.
func (i *CommandInputs) run(ctx context.Context, command string, previous Output) (Output, error) {
	client, err := i.Connection.dial(ctx)
	if err != nil {
		return Output{}, err
	}
	// The client stays open, as in the release: one TCP connection per command until the plugin exits.
	session, err := client.NewSession()
	if err != nil {
		return Output{}, err
	}
	defer session.Close()
	if err := i.setEnvironment(ctx, session, previous); err != nil {
		return Output{}, err
	}
	if i.Stdin != nil && *i.Stdin != "" {
		session.Stdin = strings.NewReader(*i.Stdin)
	}

	var stdout, stderr bytes.Buffer
	var both syncBuffer
	logger := &lineLogger{log: p.GetLogger(ctx).InfoStatus}
	session.Stdout = tee(logger, i.Logging.stdout(), &stdout, &both)
	session.Stderr = tee(logger, i.Logging.stderr(), &stderr, &both)
	err = session.Run(command)
	if logErr := logger.close(); err == nil {
		err = logErr
	}
	if err != nil {
		return Output{}, fmt.Errorf("%w: running %q:\n%s", err, command, both.String())
	}
	return Output{
		Stdout: strings.TrimSuffix(stdout.String(), "\n"),
		Stderr: strings.TrimSuffix(stderr.String(), "\n"),
	}, nil
}

// setEnvironment fails on a variable of the program that the server refuses, and only warns about the previous output.
func (i *CommandInputs) setEnvironment(ctx context.Context, session *ssh.Session, previous Output) error {
	log := p.GetLogger(ctx)
	for name, value := range i.Environment {
		if err := session.Setenv(name, value); err != nil {
			log.Error(refusedVariable(name))
			return fmt.Errorf("could not set environment variable %q: %w", name, err)
		}
	}
	if i.AddPreviousOutputInEnv != nil && !*i.AddPreviousOutputInEnv {
		return nil
	}
	for name, value := range map[string]string{
		"PULUMI_COMMAND_STDOUT": previous.Stdout,
		"PULUMI_COMMAND_STDERR": previous.Stderr,
	} {
		if value == "" {
			continue
		}
		if err := session.Setenv(name, value); err != nil {
			log.Warning(refusedVariable(name))
		}
	}
	return nil
}

func refusedVariable(name string) string {
	return fmt.Sprintf("Unable to set '%s'. The SSH server must accept this variable (AcceptEnv).", name)
}

func tee(logger io.Writer, logged bool, writers ...io.Writer) io.Writer {
	if logged {
		writers = append(writers, logger)
	}
	return io.MultiWriter(writers...)
}

// syncBuffer collects both streams, which the SSH library copies at the same time.
type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(data)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
