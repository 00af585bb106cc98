package davclient

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// limit is how long a client may run: 2 GiB on a busy machine.
const limit = 5 * time.Minute

// A Fetch is a running client.
type Fetch struct {
	File string // what it fetches, in a new directory

	cancel context.CancelFunc
	out    bytes.Buffer
	ended  chan struct{} // closed when err is known
	err    error
}

// Start fetches a URL of a path without escapes. The client ends with the test at
// the latest.
func (c Client) Start(tb testing.TB, fileURL string) *Fetch {
	tb.Helper()
	u, err := url.Parse(fileURL)
	if err != nil {
		tb.Fatal(err)
	}
	dir, name := tb.TempDir(), path.Base(u.Path)
	run := filepath.Join(dir, "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), limit)
	f := &Fetch{File: filepath.Join(dir, name), cancel: cancel, ended: make(chan struct{})}
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-euc", c.Script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_RUNTIME_DIR="+run, "TMPDIR="+dir,
		"HOST="+u.Host, "FILE="+u.Path[1:], "NAME="+name, "URL="+fileURL)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &f.out, &f.out, 5*time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	go func() {
		// The death signal comes with the end of the thread that started the client.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(f.ended)
		f.err = cmd.Run()
	}()
	tb.Cleanup(f.Kill)
	return f
}

// Ended is closed when the client has ended, by itself or not.
func (f *Fetch) Ended() <-chan struct{} { return f.ended }

// Wait waits until the client ends, and tells how it did, with what it said.
func (f *Fetch) Wait() error {
	<-f.ended
	if f.err != nil {
		return fmt.Errorf("%w: %s", f.err, bytes.TrimSpace(f.out.Bytes()))
	}
	return nil
}

// Kill ends the client and all that it started at once.
func (f *Fetch) Kill() {
	f.cancel()
	<-f.ended
}
