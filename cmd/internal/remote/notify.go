package remote

import (
	"fmt"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"
)

// NotifyReady tells a service manager that waits for it (Type=notify, sd_notify(3))
// that the process answers at the URLs. Without such a manager it does nothing.
func NotifyReady(urls []string) error {
	return notify(daemon.SdNotifyReady + "\nSTATUS=Serving " + oneLine(strings.Join(urls, " ")))
}

// NotifyStopping tells the manager that the process is about to end.
func NotifyStopping() error { return notify(daemon.SdNotifyStopping + "\nSTATUS=Ending") }

func notify(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}

// oneLine keeps text from being taken for another assignment.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }
