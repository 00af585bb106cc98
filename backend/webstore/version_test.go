package webstore_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cosafs/backend"
)

// A Version is asked for, and compared whether the server keeps conditions or not.
func TestVersions(t *testing.T) {
	type says struct {
		tag  string
		date time.Time
		body string
	}
	next := old.Add(time.Second)
	for _, c := range []struct {
		name   string
		before says
		after  says
		asks   string // the header that the version is asked for with
	}{
		{"strong ETag", says{`"1"`, old, "old"}, says{`"2"`, old, "new"}, "If-Match"},
		{"strong ETag alone", says{`"1"`, time.Time{}, "old"}, says{`"2"`, time.Time{}, "new"}, "If-Match"},
		{"ETag gone weak", says{`"1"`, old, "old"}, says{`W/"1"`, old, "new"}, "If-Match"},
		{"ETag gone", says{`"1"`, old, "old"}, says{"", old, "new"}, "If-Match"},
		{"date", says{"", old, "old"}, says{"", next, "new"}, "If-Unmodified-Since"},
		{"date gone back", says{"", next, "old"}, says{"", old, "new"}, "If-Unmodified-Since"},
		{"size", says{"", old, "old"}, says{"", old, "newer"}, "If-Unmodified-Since"},
		{"weak ETag", says{`W/"1"`, old, "old"}, says{`W/"2"`, old, "new"}, "If-Unmodified-Since"},
		{"weak ETag alone", says{`W/"1"`, time.Time{}, "old"}, says{`W/"2"`, time.Time{}, "new"}, ""},
		{"ETag without quotes", says{`1`, old, "old"}, says{`2`, old, "new"}, "If-Unmodified-Since"},
	} {
		for _, keeps := range []bool{true, false} {
			var now atomic.Pointer[says]
			now.Store(&c.before)
			var asked atomic.Pointer[http.Header]
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				h := r.Header.Clone()
				asked.Store(&h)
				if !keeps {
					r.Header.Del("If-Match")
					r.Header.Del("If-Unmodified-Since")
				}
				if n := now.Load(); n.tag != "" {
					w.Header().Set("ETag", n.tag)
				}
				http.ServeContent(w, r, "", now.Load().date, strings.NewReader(now.Load().body))
			})
			info, err := s.Stat(t.Context(), "a")
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if got, err := read(t, s, "a", backend.Range{Off: 1, Len: 2}, info.Version); err != nil || got != "ld" {
				t.Errorf("%s, still there: read %q, %v", c.name, got, err)
			}
			var conditions []string
			for name := range *asked.Load() {
				if strings.HasPrefix(name, "If-") {
					conditions = append(conditions, name)
				}
			}
			if want := strings.Fields(c.asks); !slices.Equal(conditions, want) {
				t.Errorf("%s: asked with %q; want %q", c.name, conditions, want)
			}
			now.Store(&c.after)
			for _, r := range []backend.Range{{Off: 1, Len: 2}, whole, {}} {
				if got, err := read(t, s, "a", r, info.Version); !errors.Is(err, backend.ErrChanged) {
					t.Errorf("%s, changed, conditions kept %v: read %q, %v; want ErrChanged", c.name, keeps, got, err)
				}
			}
			if got, err := read(t, s, "a", whole, ""); err != nil || got != c.after.body {
				t.Errorf("%s, any version: read %q, %v", c.name, got, err)
			}
		}
	}
}

// Without a strong ETag date and size are the version.
func TestVersionWithoutETag(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { file(w, r) })
	info, err := s.Stat(t.Context(), "a")
	if err != nil || info.Version == "" || info.Size != 10 || !info.ModTime.Equal(old) {
		t.Fatalf("Stat = %+v, %v", info, err)
	}
	_, err = read(t, s, "a", whole, `"1"`)
	wantError(t, "another server's version", err, backend.ErrChanged)
	_, err = read(t, s, "a", whole, "no version of ours")
	wantError(t, "another store's version", err, backend.ErrChanged)
}

// A file that nothing tells from its next version can be read once, but not
// described.
func TestNoVersion(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "0123456789")
	})
	_, err := s.Stat(t.Context(), "a")
	wantError(t, "Stat", err, errors.ErrUnsupported)
	_, err = read(t, s, "a", whole, `"1"`)
	wantError(t, "Open of a version", err, errors.ErrUnsupported)
	if got, err := read(t, s, "a", whole, ""); err != nil || got != "0123456789" {
		t.Errorf("read %q, %v", got, err)
	}
}
