package scratch_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cosafs/vfs/access"
	"cosafs/vfs/davfs/scratch"
)

// serveEnv names the directory that [TestVictim] serves.
const serveEnv = "COSAFS_TEST_SCRATCH"

// TestVictim is no test, but the server in a process of its own that others kill.
func TestVictim(t *testing.T) {
	dir := os.Getenv(serveEnv)
	if dir == "" {
		return // no other test has started this process
	}
	if err := serveUntilKilled(dir); err != nil {
		t.Fatal(err)
	}
}

// serveUntilKilled tells its address, and ends with its parent at the latest.
func serveUntilKilled(dir string) error {
	c, err := scratch.New(scratch.Config{Dir: dir, Prefix: prefix})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := http.Server{Handler: &site{c: c, role: access.Builder}}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends when the parent does, however that is
		_ = srv.Close()                      // nobody is left to be told
	}()
	fmt.Println(l.Addr())
	return srv.Serve(l)
}

// A victim is a server in a process of its own.
type victim struct {
	*site
	cmd *exec.Cmd
}

func startVictim(t *testing.T, dir string) victim {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestVictim$")
	cmd.Env = append(os.Environ(), serveEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return victim{&site{dir: dir, host: strings.TrimSpace(addr)}, cmd}
}

// kill is kill -9.
func (v victim) kill(t *testing.T) {
	t.Helper()
	if err := v.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := v.cmd.Wait(); err == nil {
		t.Fatal("the server ended by itself")
	}
}

// TestKillInPut kills the server when it has a part of a new version on its disk.
// The old one stays; the next start removes the part.
func TestKillInPut(t *testing.T) {
	dir := t.TempDir()
	v := startVictim(t, dir)
	v.want(t, http.StatusCreated, "PUT", "a", "old")
	v.raw(t, "PUT /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n"+strings.Repeat("new", 1<<16))
	for !parts(t, dir) {
		// The server is about to write what it was sent.
	}
	v.kill(t)
	if !parts(t, dir) {
		t.Error("nothing was left to be removed")
	}
	s := serve(t, scratch.Config{Dir: dir})
	if got := s.want(t, http.StatusOK, "GET", "a", ""); got.body != "old" {
		t.Errorf("the file is %d bytes", len(got.body))
	}
	wantFiles(t, dir, "a")
}

// parts says whether an upload has bytes on the disk.
func parts(t *testing.T, dir string) bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, ".cosafs", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.Size() > 0 {
			return true
		}
	}
	return false
}

// TestKillAtAnyInstant kills the server while it stores, copies, moves and
// deletes. Whatever is seen afterwards is a whole version, with its property.
func TestKillAtAnyInstant(t *testing.T) {
	dir := t.TempDir()
	for round := range 8 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			v := startVictim(t, dir)
			var writers sync.WaitGroup
			begun := make(chan struct{}, 1000)
			for i := range 4 {
				writers.Go(func() { v.churn(t.Context(), i, begun) })
			}
			for range 20 + 7*round {
				<-begun
			}
			v.kill(t)
			writers.Wait()
			serve(t, scratch.Config{Dir: dir})
			checkWhole(t, dir)
		})
	}
}

// version is a file whose bytes are all the same.
func version(n int) []byte { return bytes.Repeat([]byte{byte('a' + n%26)}, 50_000) }

// churn changes things of its own until the server is gone.
func (s *site) churn(ctx context.Context, id int, begun chan<- struct{}) {
	name := func(what string) string { return fmt.Sprintf("%s%d", what, id) }
	for n := 0; ; n++ {
		for _, step := range []struct{ method, path, dest string }{
			{"PUT", name("file"), ""}, {"MKCOL", name("dir"), ""}, {"PUT", name("dir") + "/f", ""}, {"COPY", name("dir"), name("copy")},
			{"MOVE", name("file"), name("dir") + "/f"}, {"MOVE", name("dir"), name("copy")}, {"DELETE", name("copy") + "/f", ""},
		} {
			var body []byte
			if step.method == "PUT" {
				body = version(n)
			}
			begun <- struct{}{}
			if _, err := s.try(ctx, step.method, step.path, bytes.NewReader(body), "Destination", s.url(step.dest)); err != nil {
				return
			}
		}
	}
}

// checkWhole looks at every file.
func checkWhole(t *testing.T, dir string) {
	t.Helper()
	for _, pattern := range []string{"*", "*/*"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if info, err := os.Stat(name); err != nil || info.IsDir() {
				continue
			}
			got, err := os.ReadFile(name)
			if err != nil || len(got) != 50_000 || !bytes.Equal(got, version(int(got[0]-'a'))) {
				t.Errorf("%s: %d bytes, %v, want a whole version", name, len(got), err)
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".cosafs", "*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
