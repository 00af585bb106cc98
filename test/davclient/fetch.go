package davclient

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"testing"
	"time"
)

// A Fetch is a running client.
type Fetch struct {
	File string // what it fetches, in a new directory

	cmd   *exec.Cmd
	out   bytes.Buffer
	ended chan struct{} // closed when err is known
	err   error
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
	f := &Fetch{File: filepath.Join(dir, name), ended: make(chan struct{})}
	f.cmd = exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-euc", c.Script)
	f.cmd.Dir = dir
	f.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_RUNTIME_DIR="+run, "TMPDIR="+dir,
		"HOST="+u.Host, "FILE="+u.Path[1:], "NAME="+name, "URL="+fileURL)
	f.cmd.Stdout, f.cmd.Stderr, f.cmd.WaitDelay = &f.out, &f.out, 5*time.Second
	if err := f.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		f.err = f.cmd.Wait()
		close(f.ended)
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
	_ = f.cmd.Process.Kill() // it may have ended by itself
	<-f.ended
}
