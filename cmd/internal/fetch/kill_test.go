package fetch_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/dirstore"
	"cosafs/cmd/internal/fetch"
)

// openDir opens a directory as the store to fetch from.
func openDir(t *testing.T, dir string) *dirstore.Store {
	t.Helper()
	s, err := dirstore.Open(dirstore.Config{Dir: dir})
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

// TestChild is a fetch that is killed: at the fifth of the image's ranges it says
// so and waits for its end.
func TestChild(t *testing.T) {
	from, to := os.Getenv("FETCH_FROM"), os.Getenv("FETCH_TO")
	if from == "" {
		t.Skip("only runs as another test's child")
	}
	_, err := fetch.Run(t.Context(), fetch.Options{
		Workdir: to, URL: url, Arch: x86, Artifacts: []string{"qemu"}, Parallel: 1, Store: stopping{openDir(t, from)},
	})
	t.Error("the fetch has ended:", err)
}

// A stopping store stops for ever at the fifth range of an object.
type stopping struct{ backend.Store }

func (s stopping) Open(ctx context.Context, key backend.Key, r backend.Range, version string) (io.ReadCloser, error) {
	if r.Off >= 64*mib {
		fmt.Println("midway")
		<-ctx.Done()
	}
	return s.Store.Open(ctx, key, r, version)
}

func TestFetchAfterKill(t *testing.T) {
	from := t.TempDir()
	qemu := noise(96*mib, 1) // six ranges
	store := openDir(t, from)
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": qemu})
	copyAll(t, &r.Store, store)
	p := newPlace(t)
	killMidway(t, from, p.dir)
	if p.has("1.1") || p.has("builds.json") {
		t.Error("the killed fetch shows something")
	}
	s, counts := backendtest.Counting(store)
	p.mustFetch(s, nil)
	if !bytes.Equal(p.read("builds/1.1/x86_64/"+file("1.1", "qemu")), qemu) {
		t.Error("the bytes are wrong")
	}
	if got := counts.Bytes(backendtest.Open); got < 32*mib || got > 33*mib {
		t.Errorf("the rest is %d bytes; want the two of six ranges that were missing", got)
	}
	p.nothingLeft()
}

func copyAll(t *testing.T, from backend.Store, to backend.Writer) {
	t.Helper()
	for info, err := range backend.Walk(t.Context(), from, "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := from.Open(t.Context(), info.Key, backend.Range{Len: info.Size}, info.Version)
		if err != nil {
			t.Fatal(err)
		}
		var data bytes.Buffer
		if _, err := data.ReadFrom(body); err != nil {
			t.Fatal(err)
		}
		put(t, to, string(info.Key), data.Bytes())
	}
}

// killMidway runs a fetch that is killed once four ranges are on the disk.
func killMidway(t *testing.T, from, to string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), "FETCH_FROM="+from, "FETCH_TO="+to)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "midway" {
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says that it was killed
}

// spooled gives the spool's files with a suffix.
func (p place) spooled(suffix string) []string {
	p.t.Helper()
	found, err := filepath.Glob(p.path("tmp/cosafs/fetch/*" + suffix))
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

// interrupt fetches two of an image's four ranges.
func (p place) interrupt(r *remote) {
	p.t.Helper()
	key := backend.Key("1.1/x86_64/" + file("1.1", "qemu"))
	s := backendtest.Faulty(&r.Store, backendtest.Fault{Op: backendtest.Open, Key: key, Nth: 3, At: 1, Err: errors.New("cut")})
	_, err := p.fetch(s, func(o *fetch.Options) { o.Parallel = 1 })
	if parts := p.spooled(".part"); err == nil || len(parts) != 1 || len(p.spooled(".mark")) != 1 {
		p.t.Fatalf("%v, parts %q; want one, and its marks", err, parts)
	}
}

// Marks say nothing about another file than the one they were made for, and a
// download that nobody goes on with is given up.
func TestFetchAfterLoss(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": noise(64*mib, 1)})
	for name, damage := range map[string]func(p place) error{
		"part lost":  func(p place) error { return os.Remove(p.spooled(".part")[0]) },
		"marks lost": func(p place) error { return os.Remove(p.spooled(".mark")[0]) },
		"forgotten": func(p place) error {
			old := time.Now().Add(-8 * 24 * time.Hour)
			return errors.Join(os.Chtimes(p.spooled(".part")[0], old, old), os.Chtimes(p.spooled(".mark")[0], old, old))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.interrupt(r)
			if err := damage(p); err != nil {
				t.Fatal(err)
			}
			s, counts := backendtest.Counting(&r.Store)
			p.mustFetch(s, nil)
			if got := counts.Bytes(backendtest.Open); got < 64*mib || got > 65*mib {
				t.Errorf("%d bytes moved; want the image once, from its start", got)
			}
			p.nothingLeft()
		})
	}
}

// What processes that were killed later leave: a directory that was being put
// together, a build that is published but not listed, one that lacks meta.json.
func TestFetchAfterKillAtTheEnd(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": noise(mib, 1)})
	p := newPlace(t)
	p.mustFetch(r, nil)
	whole := p.read("builds/builds.json")
	for name, gone := range map[string][]string{
		"staged":      {"builds/1.1", "builds/builds.json", "builds/latest", "tmp/builds-source.json"},
		"published":   {"builds/builds.json", "builds/latest", "tmp/builds-source.json"},
		"no meta":     {"builds/1.1/x86_64/meta.json", "builds/builds.json", "tmp/builds-source.json"},
		"not pointed": {"builds/latest"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, g := range gone {
				if err := os.RemoveAll(p.path(g)); err != nil {
					t.Fatal(err)
				}
			}
			p.write("tmp/cosafs/fetch/stage-1/half", []byte("x"))
			s, counts := backendtest.Counting(&r.Store)
			p.mustFetch(s, nil)
			if !bytes.Equal(p.read("builds/builds.json"), whole) || !p.has("latest") || !p.has("1.1/x86_64/meta.json") {
				t.Error("the directory isn't whole again")
			}
			if got := counts.Bytes(backendtest.Open); name != "staged" && got > 10_000 {
				t.Errorf("%d bytes moved; want none of the image's", got)
			}
			p.nothingLeft()
		})
	}
}
