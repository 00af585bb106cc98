package s3store_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/s3store"
)

// Lists that take several requests are whole, also when one of these fails.
func TestListOfManyPages(t *testing.T) {
	const ids, archs = 1050, 2
	s, srv := gateway(t)
	s.account(t)
	cfg := s.config()
	for i := range ids { // as files: objects would take their time
		for j := range archs {
			path := srv.Object(cfg.Bucket, fmt.Sprintf("%s/%04d/a%d/meta.json", cfg.Prefix, i, j))
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
	}
	p := newProxy(t, s.endpoint, plainHTTP)
	var failing atomic.Int64
	broken := refuse(anything, http.StatusServiceUnavailable, "SlowDown")
	p.change = func(w http.ResponseWriter, r *http.Request) bool {
		return !r.URL.Query().Has("continuation-token") || failing.Add(-1) < 0 || broken(w, r)
	}
	cfg.Endpoint = p.URL
	store := backend.Retry(open(t, cfg), backend.Policy{First: time.Millisecond})
	for name, list := range map[string]func() (int, error){
		"List": func() (n int, err error) {
			for info, err := range store.List(t.Context(), "") {
				if want := backend.Key(fmt.Sprintf("%04d", n)); err != nil || info.Key != want || !info.Dir {
					return n, fmt.Errorf("entry %d is %+v, %w", n, info, err)
				}
				n++
			}
			return n * archs, nil
		},
		"Walk": func() (n int, err error) {
			for info, err := range backend.Walk(t.Context(), store, "") {
				if want := backend.Key(fmt.Sprintf("%04d/a%d/meta.json", n/archs, n%archs)); err != nil || info.Key != want {
					return n, fmt.Errorf("object %d is %+v, %w", n, info, err)
				}
				n++
			}
			return n, nil
		},
	} {
		failing.Store(1)
		if n, err := list(); n != ids*archs || err != nil {
			t.Errorf("%s: %d, %v; want %d", name, n, err, ids*archs)
		}
		if failing.Load() >= 1 {
			t.Errorf("%s: no request failed", name)
		}
	}
}

// The empty objects that some programs make for directories are not seen.
func TestDirectoryMarkers(t *testing.T) {
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("delimiter") {
			_, _ = w.Write([]byte(`<ListBucketResult><Contents><Key>builds/</Key></Contents><Contents><Key>builds/a</Key></Contents>
				<CommonPrefixes><Prefix>builds//</Prefix></CommonPrefixes><CommonPrefixes><Prefix>builds/d/</Prefix></CommonPrefixes></ListBucketResult>`))
			return
		}
		_, _ = w.Write([]byte(`<ListBucketResult><Contents><Key>builds/</Key></Contents><Contents><Key>builds/a</Key></Contents>
			<Contents><Key>builds/d/</Key></Contents><Contents><Key>builds/d/b</Key></Contents></ListBucketResult>`))
	})
	for name, c := range map[string]struct {
		list func(func(backend.Info, error) bool)
		want []backend.Info
	}{
		"List": {s.List(t.Context(), ""), []backend.Info{{Key: "a"}, {Key: "d", Dir: true}}},
		"Walk": {s.Walk(t.Context(), ""), []backend.Info{{Key: "a"}, {Key: "d/b"}}},
	} {
		var got []backend.Info
		for info, err := range c.list {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, info)
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %+v; want %+v", name, got, c.want)
		}
	}
}

// A bucket may be the store's root itself.
func TestWithoutPrefix(t *testing.T) {
	s, _ := gateway(t)
	s.account(t)
	store := open(t, s3store.Config{Bucket: s.bucket, Endpoint: s.endpoint})
	put(t, store, "id/meta.json", []byte("{}"))
	if got := read(t, store, "id/meta.json"); got != "{}" {
		t.Errorf("read %q", got)
	}
	n := 0
	for info, err := range store.List(t.Context(), "") {
		if n++; err != nil || info.Key != "id" || !info.Dir {
			t.Errorf("listed %+v, %v", info, err)
		}
	}
	if n != 1 || store.String() != "s3://"+s.bucket {
		t.Errorf("%d entries in %s; want 1", n, store)
	}
}
