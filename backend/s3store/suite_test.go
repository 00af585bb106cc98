package s3store_test

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/s3store"
	"cosafs/test/s3server"
)

// A server is an S3 implementation that the suite can run on.
type server struct {
	endpoint, access, secret, bucket string
	cuts                             bool // as backendtest.Harness.Cuts
}

// gateway starts versitygw.
func gateway(t *testing.T) (server, *s3server.Server) {
	t.Helper()
	s := s3server.Start(t)
	return server{endpoint: s.Endpoint, access: s3server.Access, secret: s3server.Secret, bucket: s3server.Private}, s
}

// second starts rclone's server, with its cache of directories: without one it stops
// answering now and then, two of its locks being in the way of each other.
// It replaces a file in place, so that who reads that is cut off.
func second(t *testing.T) server {
	t.Helper()
	dir, addr := t.TempDir(), s3server.FreeAddr(t)
	if err := os.Mkdir(filepath.Join(dir, s3server.Private), 0o755); err != nil {
		t.Fatal(err)
	}
	p := s3server.Run(t, addr, exec.Command(s3server.Rclone(t), "serve", "s3", "--addr", addr,
		"--auth-key", s3server.Access+","+s3server.Secret, "--config", os.DevNull, dir))
	t.Cleanup(func() { p.Stop(t) })
	return server{endpoint: "http://" + addr, access: s3server.Access, secret: s3server.Secret, bucket: s3server.Private, cuts: true}
}

// account lets the SDK find the server's account, and nothing of this machine's.
func (s server) account(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": s.access, "AWS_SECRET_ACCESS_KEY": s.secret, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PROFILE": "", "AWS_REGION": "",
		"AWS_ENDPOINT_URL": "", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(name, value)
	}
}

// config is that of a store with a prefix that nobody else uses.
func (s server) config() s3store.Config {
	return s3store.Config{Bucket: s.bucket, Prefix: "streams/" + rand.Text() + "/builds", Endpoint: s.endpoint}
}

// open opens a store, which is closed when the test ends.
func open(t *testing.T, cfg s3store.Config) *s3store.Store {
	t.Helper()
	s, err := s3store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// suite runs backendtest on stores that differ by what change does to them. The
// objects that the suite seeds go through a client of their own.
func (s server) suite(t *testing.T, change func(*s3store.Config), decorate func(backend.Store) backend.Store) {
	t.Helper()
	backendtest.Run(t, backendtest.Harness{
		Properties: backend.Properties{Parallel: 16, Ranges: true, Lists: true, Conditions: true},
		Writes:     true,
		Walks:      true,
		Digests:    true,
		Cuts:       s.cuts,
		Setup: func(t *testing.T) (backend.Store, backendtest.Seeder) {
			t.Helper()
			cfg := s.config()
			other := open(t, cfg)
			change(&cfg)
			store, err := s3store.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			return decorate(store), func(t *testing.T, key backend.Key, data []byte) {
				t.Helper()
				put(t, other, key, data)
			}
		},
	})
}

// put stores data and must not fail.
func put(t *testing.T, w backend.Writer, key backend.Key, data []byte) backend.Info {
	t.Helper()
	info, err := w.Put(t.Context(), key, source(data), backend.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// source is one whose digest is not known.
func source(data []byte) backend.Source {
	return backend.Source{ReaderAt: bytes.NewReader(data), Size: int64(len(data))}
}

func asIs(*s3store.Config) {}

func plain(s backend.Store) backend.Store { return s }

func retried(s backend.Store) backend.Store { return backend.Retry(s, backend.Policy{}) }

func TestSuite(t *testing.T) {
	s, _ := gateway(t)
	s.account(t)
	t.Run("plain", func(t *testing.T) { s.suite(t, asIs, plain) })
	t.Run("retried", func(t *testing.T) { s.suite(t, asIs, retried) })
	t.Run("crc32", func(t *testing.T) { s.suite(t, func(c *s3store.Config) { c.Checksum = "crc32" }, plain) })
	t.Run("no checksum", func(t *testing.T) { s.suite(t, func(c *s3store.Config) { c.Checksum = "none" }, plain) })
}

func TestSuiteOnSecondServer(t *testing.T) {
	s := second(t)
	s.account(t)
	s.suite(t, asIs, plain)
}
