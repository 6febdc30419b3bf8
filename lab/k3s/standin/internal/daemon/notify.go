package daemon

import (
	"os"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// Notifier tells systemd once that the unit is up; with Type=notify it is `activating` until then.
type Notifier struct{ socket string }

// NewNotifier removes the socket from the environment, so that no component can notify systemd.
func NewNotifier() *Notifier {
	socket := os.Getenv("NOTIFY_SOCKET")
	os.Unsetenv("NOTIFY_SOCKET")
	return &Notifier{socket}
}

// Ready sends READY=1.
func (n *Notifier) Ready() {
	if n.socket == "" {
		return
	}
	os.Setenv("NOTIFY_SOCKET", n.socket)
	_, _ = sd.SdNotify(true, sd.SdNotifyReady)
}
