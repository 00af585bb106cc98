package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"cosafs/vfs/webui"
)

// readyEnv names the environment variable with the number of the descriptor
// over which a daemon reports to who started it.
const readyEnv = "COSAFS_READY_FD"

// A report is what the daemon says once over that descriptor.
type report struct {
	Ready bool            `json:"ready"`
	Error json.RawMessage `json:"error,omitempty"` // webui's error shape
}

// Start runs cmd, which must come to [Run], as a daemon: a session of its own,
// output to log. It returns when the daemon reports that its mount answers, or
// with the error it reports. A daemon that ends without a word gives the end
// of its log. When ctx ends first, the daemon is stopped.
func Start(ctx context.Context, cmd *exec.Cmd, log *Log) error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	defer func() { _ = r.Close() }() // only read
	cmd.Stdout, cmd.Stderr = log.f, log.f
	cmd.ExtraFiles = []*os.File{w}
	cmd.Env = append(cmd.Environ(), readyEnv+"=3") // the first of ExtraFiles
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Dir = "/" // so that the daemon keeps no directory busy
	err = cmd.Start()
	_ = w.Close() // the daemon has its own
	if err != nil {
		return fmt.Errorf("start daemon: %w", err)
	}
	rep, err := awaitReport(ctx, r)
	switch {
	case err == nil && rep.Ready:
		return cmd.Process.Release()
	case err == nil:
		_ = cmd.Wait() // it said why it ends
		return webui.DecodeError(rep.Error)
	case ctx.Err() != nil:
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended itself
		_ = cmd.Wait()
		return ctx.Err()
	}
	_ = cmd.Wait()
	return fmt.Errorf("the daemon ended (%v) without a word; its log ends:\n%s", cmd.ProcessState, tail(log.f.Name(), 2000))
}

// awaitReport reads the daemon's report, until ctx ends.
func awaitReport(ctx context.Context, r *os.File) (report, error) {
	var rep report
	// A deadline in the past ends the read. It cannot fail on a pipe.
	defer context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Unix(1, 0)) })()
	err := json.NewDecoder(r).Decode(&rep)
	return rep, err
}

// A Notifier is the daemon's end of the line to who started it.
type Notifier struct {
	w io.WriteCloser // nil when nobody listens
}

// NewNotifier takes the line over, if this process was started by [Start].
// getenv is os.Getenv.
func NewNotifier(getenv func(string) string) *Notifier {
	fd, err := strconv.Atoi(getenv(readyEnv))
	if err != nil || fd < 3 {
		return &Notifier{}
	}
	unix.CloseOnExec(fd) // else every child would hold the line open
	return &Notifier{w: os.NewFile(uintptr(fd), "ready")}
}

// Detached says whether this process was started by [Start].
func (n *Notifier) Detached() bool { return n.w != nil }

// Ready reports that the mount answers.
func (n *Notifier) Ready() { n.say(report{Ready: true}) }

// Failed reports why the daemon ends. After Ready it says nothing.
func (n *Notifier) Failed(err error) { n.say(report{Error: webui.EncodeError(err)}) }

// say reports once. An error means that who started us is gone: no loss.
func (n *Notifier) say(r report) {
	if n.w == nil {
		return
	}
	_ = json.NewEncoder(n.w).Encode(r)
	_ = n.w.Close()
	n.w = nil
}

// Find gives a client of the daemon of this user that holds a mount at dir,
// and its status. Without one it is [webui.ErrNoDaemon].
func Find(ctx context.Context, rt webui.Runtime, dir string) (*webui.Client, webui.Status, error) {
	for _, path := range rt.Sockets() {
		c := webui.NewClient(path)
		st, err := askBriefly(ctx, c)
		if err == nil && slices.Contains(st.Mounts, dir) {
			return c, st, nil
		}
		c.Close()
		if err != nil && ctx.Err() != nil {
			return nil, webui.Status{}, ctx.Err()
		}
	}
	return nil, webui.Status{}, webui.ErrNoDaemon
}

// askBriefly asks for the status, but not for long: a daemon that hangs must
// not keep others from being found.
func askBriefly(ctx context.Context, c *webui.Client) (webui.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return c.Status(ctx)
}
