// Package daemon runs the components as children that end with their supervisor.
package daemon

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
)

// Group is the children of one supervisor. The first that ends by itself ends the supervisor.
type Group struct {
	mu       sync.Mutex
	children []*child
	stopping bool
	failed   chan error
	excused  map[string]func(said string) bool
}

type child struct {
	name    string
	command *exec.Cmd
	done    chan struct{}
}

// NewGroup returns a group without children.
func NewGroup() *Group {
	return &Group{failed: make(chan error, 1), excused: map[string]func(string) bool{}}
}

// Failed returns the channel that gets the first unexpected end of a child.
func (g *Group) Failed() <-chan error { return g.failed }

// Fail ends the supervisor for another reason than a child's end.
func (g *Group) Fail(err error) {
	select {
	case g.failed <- err:
	default:
	}
}

// Excuse sets, before a component starts, a function that judges its unexpected end by its last output. If it returns
// true, the end does not end the supervisor.
func (g *Group) Excuse(name string, excused func(said string) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.excused[name] = excused
}

// StartSelf starts a component of this binary under its own name.
func (g *Group) StartSelf(name string, args []string, env ...string) error {
	logrus.Infof("Running %s %s", name, strings.Join(args, " "))
	command := exec.Command("/proc/self/exe", args...)
	command.Args[0] = name
	return g.Start(name, command, nil, env...)
}

// Start starts a command. Its output goes to output, or to the journal if that is nil.
func (g *Group) Start(name string, command *exec.Cmd, output *os.File, env ...string) error {
	command.Env = append(withoutNotifySocket(os.Environ()), env...)
	// If the supervisor is killed, its components end too, as in K3s' single process. Containers keep running: their
	// shims are no children of this process.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	last := &lastLines{to: os.Stderr}
	if output != nil {
		command.Stdout, command.Stderr = output, output
	} else {
		command.Stdout, command.Stderr = last, last
	}
	started := make(chan error)
	c := &child{name: name, command: command, done: make(chan struct{})}
	go func() {
		// Pdeathsig is bound to the thread that forks: it must live as long as the child.
		runtime.LockOSThread()
		err := command.Start()
		started <- err
		if err != nil {
			return
		}
		err = command.Wait()
		close(c.done)
		g.mu.Lock()
		defer g.mu.Unlock()
		if excused := g.excused[name]; !g.stopping && (excused == nil || !excused(last.text())) {
			g.Fail(fmt.Errorf("%s exited: %s", name, cause(err, last.error())))
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.children = append(g.children, c)
	return nil
}

// foundations are the components that the others use until they end.
var foundations = map[string]bool{"etcd": true, "containerd": true}

// Stop ends the children, each within the grace period: first those that use etcd and containerd, then these two.
func (g *Group) Stop(grace time.Duration) {
	g.mu.Lock()
	g.stopping = true
	children := g.children
	g.mu.Unlock()
	for _, last := range []bool{false, true} {
		var ending []*child
		for _, c := range children {
			if foundations[c.name] == last {
				_ = c.command.Process.Signal(syscall.SIGTERM)
				ending = append(ending, c)
			}
		}
		deadline := time.After(grace)
		for _, c := range ending {
			select {
			case <-c.done:
			case <-deadline:
				deadline = time.After(0)
				_ = c.command.Process.Kill()
			}
		}
	}
}

// withoutNotifySocket removes what only the supervisor may have: its socket to systemd and its tokens.
func withoutNotifySocket(environment []string) []string {
	kept := make([]string, 0, len(environment))
	for _, variable := range environment {
		if !strings.HasPrefix(variable, "NOTIFY_SOCKET=") && !strings.HasPrefix(variable, "K3S_TOKEN") && !strings.HasPrefix(variable, "K3S_AGENT_TOKEN") {
			kept = append(kept, variable)
		}
	}
	return kept
}

// lastLines forwards output and keeps the last lines for the message of an unexpected end.
type lastLines struct {
	to   io.Writer
	mu   sync.Mutex
	tail []byte
}

func (l *lastLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, p...)
	if len(l.tail) > 8192 {
		l.tail = l.tail[len(l.tail)-8192:]
	}
	return l.to.Write(p)
}

func (l *lastLines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.tail)
}

func (l *lastLines) error() string {
	lines := strings.Split(strings.TrimSpace(l.text()), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		line := lines[i]
		if strings.HasPrefix(line, "E") || strings.HasPrefix(line, "F") || strings.HasPrefix(line, "Error:") {
			return line
		}
	}
	return lines[len(lines)-1]
}

func cause(err error, line string) string {
	if at := strings.Index(line, `err="`); at >= 0 {
		line = strings.TrimSuffix(line[at+len(`err="`):], `"`)
	}
	if err == nil {
		return line
	}
	return fmt.Sprintf("%s (%v)", line, err)
}
