package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"cosafs/materialize"
)

// removeTimeout bounds the removal of a container after its compose ended.
const removeTimeout = 20 * time.Second

// run starts rpm-ostree and waits for it. Everything it prints goes to the
// task's log; its phases become progress between 0.03 and 0.95.
func (r *RPMOSTree) run(ctx context.Context, v invocation, t *materialize.Task) error {
	argv := v.argv()
	t.Logf("+ %s", strings.Join(argv, " "))
	cmd := materialize.CommandContext(ctx, t, argv[0], argv[1:]...)
	if v.image == "" {
		cmd.Env = append(cmd.Env, v.env()...)
	}
	log := &sharedWriter{w: t.Log}
	said, complained := &tail{}, &tail{}
	progress := &phases{task: t.Part(0.03, 0.95)}
	cmd.Stdout = io.MultiWriter(log, said, progress)
	cmd.Stderr = io.MultiWriter(log, complained)
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if v.image != "" {
		removeContainer(ctx, v, t)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("compose: %w", context.Cause(ctx))
	}
	return composeFailure(said.String(), complained.String(), deadlySignal(err), err)
}

// removeContainer ends a container that podman may have left running when it
// was killed. It is there only if podman's --rm did not come to it.
func removeContainer(ctx context.Context, v invocation, t *materialize.Task) {
	if v.container == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	cmd := materialize.CommandContext(ctx, t, v.program, "rm", "--force", "--ignore", v.container)
	if err := cmd.Run(); err != nil {
		t.Logf("container %s may still run: %v", v.container, err)
	}
}

// deadlySignal gives the signal that ended a process, 0 if it exited. Shells
// and podman report a signal of their child as 128 plus its number.
func deadlySignal(err error) syscall.Signal {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return 0
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	if code := exit.ExitCode(); code > 128 && code <= 128+31 {
		return syscall.Signal(code - 128)
	}
	return 0
}

// A sharedWriter lets the two goroutines that copy a child's output write to
// one log.
type sharedWriter struct {
	mu sync.Mutex
	w  io.Writer // guarded by mu; nil discards
}

// Write writes p in one piece.
func (s *sharedWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		return len(p), nil
	}
	return s.w.Write(p)
}

// maxTail is how much of a child's output is kept to explain its failure:
// more than libsolv says about a large conflict.
const maxTail = 64 << 10

// A tail keeps the last bytes written to it.
type tail struct{ data []byte }

// Write never fails.
func (l *tail) Write(p []byte) (int, error) {
	l.data = append(l.data, p...)
	if over := len(l.data) - maxTail; over > 0 {
		l.data = append(l.data[:0], l.data[over:]...)
	}
	return len(p), nil
}

// String gives what was kept.
func (l *tail) String() string { return string(l.data) }
