// Package s3server runs a real S3 server for tests: versitygw, which is a module
// of its own in test/s3gw and is built once a machine.
package s3server

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// The account and the buckets of every server.
const (
	Access  = "test-access"
	Secret  = "test-secret-key"
	Region  = "us-east-1"
	Private = "private" // for those who know the secret
	Public  = "public"  // that anybody may read
)

// A Server is a running server. Tests share its buckets; each takes a prefix of
// its own.
type Server struct {
	Addr     string // host:port
	Endpoint string // URL
	// Dir holds the buckets as directories: what is stored at BUCKET/KEY is the
	// file of that path.
	Dir string

	exe     string
	args    []string
	process *Process
}

// Start starts a server that ends with the test.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s := newServer(tb, Build(tb))
	s.args = []string{"-addr", s.Addr, "-dir", s.Dir, "-access", Access, "-secret", Secret, "-private", Private, "-public", Public}
	s.Restart(tb)
	return s
}

func newServer(tb testing.TB, exe string) *Server {
	tb.Helper()
	addr := FreeAddr(tb)
	return &Server{Addr: addr, Endpoint: "http://" + addr, Dir: tb.TempDir(), exe: exe}
}

// Stop ends the server, at once and for good or until Restart.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if s.process != nil {
		s.process.Stop(tb)
	}
}

// Restart starts the server at its old address, over what it holds.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	s.Stop(tb)
	s.process = Run(tb, s.Addr, exec.Command(s.exe, s.args...))
}

// Env gives the environment in which AWS programs, and cosafs, find the server
// and its account.
func (s *Server) Env() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + Access, "AWS_SECRET_ACCESS_KEY=" + Secret, "AWS_REGION=" + Region,
		"AWS_ENDPOINT_URL=" + s.Endpoint, "AWS_EC2_METADATA_DISABLED=true",
	}
}

// Object gives the path of the file that holds an object of a bucket.
func (s *Server) Object(bucket, key string) string {
	return filepath.Join(s.Dir, bucket, filepath.FromSlash(key))
}

// Build builds the server, or finds it built, and gives its path. Packages that
// are tested at the same time wait for one another.
func Build(tb testing.TB) string {
	tb.Helper()
	exe, err := built()
	if err != nil {
		tb.Fatal(err)
	}
	return exe
}

// built and rclone build once a process.
var (
	built  = sync.OnceValues(func() (string, error) { return BuildModule(context.Background(), "s3gw") })
	rclone = sync.OnceValues(func() (string, error) { return BuildModule(context.Background(), "rclone") })
)

// BuildModule builds a program that is a module of its own in test/NAME, and
// gives its path.
func BuildModule(ctx context.Context, name string) (string, error) {
	_, self, _, _ := runtime.Caller(0)
	src := filepath.Join(filepath.Dir(filepath.Dir(self)), name)
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	dir := filepath.Join(cache, "cosafs", "test")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	unlock, err := lock(filepath.Join(dir, name+".lock"))
	if err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	defer unlock()
	exe := filepath.Join(dir, name)
	// go build itself finds out whether there is anything to do.
	cmd := exec.CommandContext(ctx, "go", "build", "-C", src, "-trimpath", "-ldflags=-s -w", "-o", exe, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", name, err, out)
	}
	return exe, nil
}

// lock takes a lock that ends with the process at the latest.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
