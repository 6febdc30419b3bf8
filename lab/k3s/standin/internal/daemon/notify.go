package daemon

import (
	"os"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// Notifier tells systemd once that the unit is up; Type=notify holds it `activating` until then.
type Notifier struct{ socket string }

// NewNotifier takes the socket out of the environment, so that no component can answer in our place.
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
