package remote

import (
	"bytes"
	"errors"
	"strings"
	"sync"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// Logging says which of a command's streams are shown while it runs. Both are recorded as outputs whatever it says.
type Logging string

// The values of Logging. Absent means LogStdoutAndStderr.
const (
	LogStdout          Logging = "stdout"
	LogStderr          Logging = "stderr"
	LogStdoutAndStderr Logging = "stdoutAndStderr"
	LogNone            Logging = "none"
)

// Values lists the enum for the schema.
func (Logging) Values() []infer.EnumValue[Logging] {
	return []infer.EnumValue[Logging]{
		{Name: string(LogStdout), Value: LogStdout, Description: "Show stdout"},
		{Name: string(LogStderr), Value: LogStderr, Description: "Show stderr"},
		{Name: string(LogStdoutAndStderr), Value: LogStdoutAndStderr, Description: "Show stdout and stderr"},
		{Name: string(LogNone), Value: LogNone, Description: "Show nothing"},
	}
}

func (l *Logging) stdout() bool { return l == nil || *l == LogStdout || *l == LogStdoutAndStderr }
func (l *Logging) stderr() bool { return l == nil || *l == LogStderr || *l == LogStdoutAndStderr }

// maxLoggedLine is the longest line, in bytes, that the release can log (the buffer of Go's bufio.Scanner).
const maxLoggedLine = 64 * 1024

// errLineTooLong replaces a hang: on such a line with logging on, the release waits forever.
var errLineTooLong = errors.New(
	"a line of 64 KiB or more with logging on: the released command plugin hangs here, so set logging to \"none\"")

// lineLogger is a writer that logs whole lines as they come. Both streams may share one.
type lineLogger struct {
	log     func(line string)
	mu      sync.Mutex
	pending []byte
	tooLong bool
}

// Write never fails, so that the stream is drained and the remote command can end.
func (l *lineLogger) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := data; len(rest) > 0 && !l.tooLong; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		l.pending = append(l.pending, line...)
		if len(l.pending) >= maxLoggedLine {
			l.tooLong = true
		} else if whole {
			l.flush()
		}
		rest = after
	}
	return len(data), nil
}

// close logs an unfinished last line and reports whether a line was too long.
func (l *lineLogger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tooLong {
		return errLineTooLong
	}
	if len(l.pending) > 0 {
		l.flush()
	}
	return nil
}

func (l *lineLogger) flush() {
	l.log(strings.TrimSuffix(string(l.pending), "\r"))
	l.pending = l.pending[:0]
}
