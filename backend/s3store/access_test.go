package s3store_test

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cosafs/backend"
	"cosafs/backend/s3store"
	"cosafs/test/s3server"
)

// Anybody reads what is public, and nothing else.
func TestAnonymous(t *testing.T) {
	s, _ := gateway(t)
	s.account(t)
	cfg := s.config()
	cfg.Bucket = s3server.Public
	put(t, open(t, cfg), "id/meta.json", []byte("{}"))
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	cfg.Anonymous = true
	store := open(t, cfg)
	if got := read(t, store, "id/meta.json"); got != "{}" {
		t.Errorf("read %q", got)
	}
	if _, err := store.Stat(t.Context(), "id/nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of nothing: %v; want ErrNotExist", err)
	}
	for info, err := range store.Walk(t.Context(), "") {
		if err != nil || info.Key != "id/meta.json" {
			t.Errorf("walked past %+v, %v", info, err)
		}
	}
	if _, err := store.Put(t.Context(), "x", source(nil), backend.Cond{}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Put: %v; want ErrPermission", err)
	}
	cfg.Bucket = s3server.Private
	if _, err := open(t, cfg).Stat(t.Context(), "x"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Stat in a private bucket: %v; want ErrPermission", err)
	}
}

// What is wrong with the account, the bucket or the server proves no absence.
func TestNothingIsAbsentByMistake(t *testing.T) {
	s, srv := gateway(t)
	s.account(t)
	cfg := s.config()
	put(t, open(t, cfg), "there", []byte("x"))
	for _, c := range []struct {
		name  string
		env   map[string]string
		wrong func(*s3store.Config)
		want  error // nil: any that is none of the sentinels
	}{
		{"secret", map[string]string{"AWS_SECRET_ACCESS_KEY": "wrong"}, asIs, fs.ErrPermission},
		{"key", map[string]string{"AWS_ACCESS_KEY_ID": "nobody"}, asIs, nil}, // versitygw answers 404
		{"no account", map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, asIs, fs.ErrPermission},
		{"bucket", nil, func(c *s3store.Config) { c.Bucket = "no-such-bucket" }, nil},
		{"server", nil, func(c *s3store.Config) { c.Endpoint = "http://" + s3server.FreeAddr(t) }, nil},
		{"protocol", nil, func(c *s3store.Config) { c.Endpoint = "https://" + srv.Addr }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			cfg := cfg
			c.wrong(&cfg)
			wantNoAbsence(t, open(t, cfg), c.want)
		})
	}
}

// wantNoAbsence checks that all ways to ask say what is wrong, and not that
// there is nothing.
func wantNoAbsence(t *testing.T, s *s3store.Store, want error) {
	t.Helper()
	check := func(what string, err error) {
		t.Helper()
		switch {
		case want != nil && !errors.Is(err, want), err == nil:
			t.Errorf("%s: %v; want %v", what, err, want)
		case want == nil && backend.Final(err):
			t.Errorf("%s: %v; want none of the sentinels", what, err)
		case !strings.Contains(err.Error(), s.String()):
			t.Errorf("%s: %v; want the store's name in it", what, err)
		}
	}
	for _, key := range []backend.Key{"there", "nothing"} {
		_, err := s.Stat(t.Context(), key)
		check("Stat", err)
		_, err = s.Open(t.Context(), key, backend.Range{Len: 1}, "")
		check("Open", err)
		_, err = s.Open(t.Context(), key, backend.Range{}, "")
		check("Open of no bytes", err)
	}
	for _, err := range s.List(t.Context(), "") {
		check("List", err)
	}
	for _, err := range s.Walk(t.Context(), "") {
		check("Walk", err)
	}
	_, err := s.Put(t.Context(), "new", source(nil), backend.Cond{})
	check("Put", err)
	_, err = s.Put(t.Context(), "new", source(nil), backend.Cond{IfMatch: "x"})
	check("conditional Put", err)
	check("Delete", s.Delete(t.Context(), "there", backend.Cond{}))
}

// The SDK's own settings work: a profile of a configuration file that cosa is
// given too.
func TestProfile(t *testing.T) {
	s, _ := gateway(t)
	s.account(t)
	cfg := s.config()
	put(t, open(t, cfg), "there", []byte("x"))
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	cfg.ConfigFile = filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf("[profile builds]\naws_access_key_id = %s\naws_secret_access_key = %s\nregion = us-east-1\nendpoint_url = %s\n", s.access, s.secret, s.endpoint)
	if err := os.WriteFile(cfg.ConfigFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Endpoint, cfg.Profile = "", "builds"
	if got := read(t, open(t, cfg), "there"); got != "x" {
		t.Errorf("read %q", got)
	}
	cfg.Profile = "other"
	if _, err := s3store.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "other") {
		t.Errorf("Open with a profile that is not there: %v; want its name", err)
	}
}

// A server with a certificate of its own is trusted if its authority is named.
func TestTLS(t *testing.T) {
	s, _ := gateway(t)
	s.account(t)
	p := newProxy(t, s.endpoint, (*httptest.Server).StartTLS)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := s.config()
	cfg.Endpoint = p.URL
	wantNoAbsence(t, open(t, cfg), nil)

	trusting := cfg
	trusting.CAFile = ca
	bySetting := open(t, trusting)
	t.Setenv("AWS_CA_BUNDLE", ca)
	byEnvironment := open(t, cfg)
	for _, store := range []*s3store.Store{bySetting, byEnvironment} {
		if _, err := store.Put(t.Context(), "new", source([]byte("x")), backend.Cond{}); err != nil {
			t.Error(err)
		}
		d := newDisk("tls", large) // in parts
		if _, err := store.Put(t.Context(), "disk", d.source(t), backend.Cond{}); err != nil {
			t.Error(err)
		}
		d.holds(t, store, "disk")
	}
	trusting.CAFile = filepath.Join(t.TempDir(), "none")
	if _, err := s3store.Open(t.Context(), trusting); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open with a file of authorities that is not there: %v; want ErrNotExist", err)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	s, _ := gateway(t)
	s.account(t)
	p := newProxy(t, s.endpoint, plainHTTP)
	cfg := s.config()
	cfg.Endpoint = p.URL
	store := open(t, cfg)
	info := put(t, store, "file", bytes.Repeat([]byte(rand.Text()), 10_000))
	const readers = 16
	for range 10 {
		var wg sync.WaitGroup
		for i := range readers {
			wg.Go(func() {
				r := backend.Range{Off: int64(i) * 10_000, Len: 10_000}
				body, err := store.Open(t.Context(), "file", r, info.Version)
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = body.Close() }() // read to its end
				if n, err := new(bytes.Buffer).ReadFrom(body); n != r.Len || err != nil {
					t.Errorf("read %d bytes, %v", n, err)
				}
			})
		}
		wg.Wait()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// A few more than readers may come about while the first are being dialled.
	if p.conns > readers+4 {
		t.Errorf("%d connections for 10 times %d readers", p.conns, readers)
	}
}
