package fusefs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Causes for which a request ends before its answer is there.
var (
	errDying    = errors.New("the caller is dying")
	errClosing  = errors.New("the mount is going away")
	errFinished = errors.New("answered")
)

// dyingPoll is how often a caller is looked at after its first interrupt. The
// kernel tells only the first signal of a request; a later fatal one shows in
// the caller's state alone.
const dyingPoll = 100 * time.Millisecond

// patient gives a context for work on a request. It ends when the caller is
// dying or the mount goes away, not at just any signal: answering those with
// EINTR breaks programs that expect open to be uninterruptible (qemu-img,
// anything under SIGSTOP and SIGCONT). stop must be called; it waits for the
// goroutine behind.
func (s *Server) patient(req context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(req))
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-ctx.Done():
		case <-s.closing:
			cancel(errClosing)
		case <-req.Done():
			cancel(s.waitDying(ctx, req))
		}
	}()
	return ctx, func() {
		cancel(errFinished)
		<-gone
	}
}

// waitDying waits for a reason to end the request and gives it.
func (s *Server) waitDying(ctx, req context.Context) error {
	tick := time.NewTicker(dyingPoll)
	defer tick.Stop()
	for !callerDying(req) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.closing:
			return errClosing
		case <-tick.C:
		}
	}
	return errDying
}

// callerDying says whether the thread that made the request is about to die. A
// caller in another pid namespace has no number here; it must stay killable,
// so it counts as dying.
func callerDying(req context.Context) bool {
	caller, ok := fuse.FromContext(req)
	if !ok || caller.Pid == 0 {
		return true
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", caller.Pid))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	return killPending(status)
}

// killPending finds SIGKILL among the pending signals of a thread, given its
// /proc/<tid>/status. The kernel turns every fatal signal into it, whereas
// signals that are handled or stop the process are not (proc_pid_status(5)).
func killPending(status []byte) bool {
	const sigkill = 1 << (9 - 1)
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		if hex, ok := strings.CutPrefix(lines.Text(), "SigPnd:"); ok {
			mask, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return err == nil && mask&sigkill != 0
		}
	}
	return false
}
