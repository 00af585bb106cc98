package qemu_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cosafs/cmd/internal/qemu"
	"cosafs/materialize"
	"cosafs/test/need"
)

// server serves the disk, and says no to the rest.
func server(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/a,b/disk.raw":
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(disk()))
		case "/secret.raw":
			http.Error(w, "", http.StatusForbidden)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestBootURL(t *testing.T) {
	need.Tool(t, "qemu-system-x86_64")
	if found, err := filepath.Glob("/usr/lib*/*/qemu/block-curl.so"); err != nil || len(found) == 0 {
		need.Lacking(t, "qemu-block-extra", errors.New("qemu's driver for URLs is not installed"))
	}
	m := machine(t)
	out, err := boot(t.Context(), t, m, server(t).URL+"/a,b/disk.raw?x=1,2", nil)
	if err != nil || !strings.Contains(out, boots) {
		t.Errorf("the machine printed %q and ended with %v", out, err)
	}
	wantEmpty(t, "after", m.TempDir)
}

func TestURLRefused(t *testing.T) {
	url := server(t).URL
	tests := []struct {
		url  string
		want error
	}{
		{url + "/missing.raw", fs.ErrNotExist},
		{url + "/secret.raw", fs.ErrPermission},
		{url + "/disk.raw.xz", errors.ErrUnsupported},
	}
	for _, tt := range tests {
		if _, err := qemu.Open(t.Context(), tt.url, ""); !errors.Is(err, tt.want) {
			t.Errorf("Open(%s) = %v, want %v", tt.url, err, tt.want)
		}
	}
	_, err := qemu.Open(t.Context(), "http://127.0.0.1:1/disk.raw", "")
	if class, _ := materialize.ClassOf(err); class != materialize.ClassNetwork {
		t.Errorf("nobody there: %v", err)
	}
}
