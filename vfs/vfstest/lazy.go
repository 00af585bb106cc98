package vfstest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"
)

// lazyCases are about bytes that come to exist when somebody opens them.
func lazyCases() []Case {
	lazy := []Cap{Lazy}
	return []Case{
		{Name: "listing is free", Needs: lazy, Run: listingFree},
		{Name: "unlisted names resolve", Needs: lazy, Run: unlisted},
		{Name: "short names are links", Needs: lazy, Run: shortNames},
		{Name: "size exact after open", Needs: lazy, Run: sizeAfterOpen},
		{Name: "size exact inside open", Needs: lazy, Run: readAfterStat},
		{Name: "one making for many opens", Needs: lazy, Run: madeOnce},
		{Name: "failure has its reason", Needs: []Cap{Lazy, Xattrs}, Run: failure},
		{Name: "xattrs", Needs: []Cap{Lazy, Xattrs}, Run: xattrs},
		{Name: "status and jobs", Needs: lazy, Run: control},
	}
}

// walk visits everything that is listed below dir.
func walk(t *testing.T, h *Harness, dir string) (files int) {
	t.Helper()
	names, err := h.Access.List(dir)
	if err != nil {
		t.Fatalf("list %s: %v", dir, err)
	}
	for _, name := range names {
		p := path.Join(dir, name)
		if info := h.stat(t, p); info.Type == fs.ModeDir {
			files += walk(t, h, p)
		} else if info.Type == 0 {
			files++
		}
	}
	return files
}

func listingFree(h *Harness) {
	t := h.T
	if n := walk(t, h, "."); n < len(listed) {
		t.Errorf("the walk met %d files, want %d at least", n, len(listed))
	}
	for _, p := range []string{metal, view, broken, next} {
		h.stat(t, p)
	}
	if c := h.Counters(t); c.Opens != 0 || c.Bytes != 0 || c.Made != 0 {
		t.Errorf("looking cost %+v, want nothing", c)
	}
}

func unlisted(h *Harness) {
	t := h.T
	for _, p := range []string{metal, view, next} {
		if info := h.stat(t, p); info.Type != 0 || info.Size != 0 {
			t.Errorf("Stat(%s) = %+v, want a file of unknown size (0)", p, info)
		}
		h.wantFile(t, p, h.Want(t, p))
	}
	names, err := h.Access.List("next/x86_64")
	if err != nil || len(names) != 0 {
		t.Errorf("List(next/x86_64) = %q, %v, want nothing", names, err)
	}
}

func shortNames(h *Harness) {
	t := h.T
	for short, full := range map[string]string{"qemu.qcow2": qemu, "metal.raw": metal} {
		p := archDir + "/" + short
		if got, err := h.Access.Readlink(p); err != nil || got != path.Base(full) {
			t.Errorf("Readlink(%s) = %q, %v, want %s", p, got, err, path.Base(full))
		}
		h.wantFile(t, p, h.Want(t, full))
	}
	h.wantFile(t, next, h.Want(t, next)) // a file there, no link
	if info := h.stat(t, next); info.Type != 0 {
		t.Errorf("Stat(%s) = %+v, want a file", next, info)
	}
}

// sizeAfterOpen: the size is exact for everybody as soon as one has opened the file.
func sizeAfterOpen(h *Harness) {
	t := h.T
	for _, p := range []string{metal, view, next, "next/x86_64/metal.raw"} {
		before := h.stat(t, p)
		_, c, err := h.Access.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		want := int64(len(h.Want(t, p)))
		if now := h.stat(t, p); now.Size != want || now.Ino != before.Ino {
			t.Errorf("Stat(%s) while open = %+v, want %d bytes and inode %d", p, now, want, before.Ino)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if now := h.stat(t, p); now.Size != want {
			t.Errorf("Stat(%s) after close = %+v, want %d bytes", p, now, want)
		}
	}
}

// readAfterStat: whoever looked before opening must not go on believing in size 0.
func readAfterStat(h *Harness) {
	t := h.T
	for _, p := range []string{metal, view, next} {
		h.stat(t, p)
		r, c, err := h.Access.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		want := h.Want(t, p)
		for _, off := range []int64{int64(len(want)) - 1, 4096, 0} {
			checkRange(t, p, r, want, off, 1)
		}
		checkRange(t, p, r, want, 0, len(want))
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func madeOnce(h *Harness) {
	t := h.T
	const readers = 100
	want, errs := h.Want(t, slow), make(chan error)
	for range readers {
		go func() {
			got, err := h.read(slow)
			if err == nil && !bytes.Equal(got, want) {
				err = fmt.Errorf("%d other bytes", len(got))
			}
			errs <- err
		}()
	}
	Eventually(t, "all wait", func() bool { return h.Counters(t).Waiting == readers })
	if info := h.stat(t, qemu); info.Size == 0 {
		t.Error("a look at another file found nothing while opens wait")
	}
	h.Do(t, Command{Op: "gate", Name: "slow"})
	for range readers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if c := h.Counters(t); c.Made != 1 {
		t.Errorf("made %d times, want once", c.Made)
	}
}

func failure(h *Harness) {
	t := h.T
	for p, reason := range map[string]string{broken: "image.yaml: unknown key rooot", full: "no room for 10 GiB"} {
		if b, err := h.read(p); err == nil {
			t.Errorf("read %s gives %d bytes, want an error", p, len(b))
		}
		attrs, err := h.Access.Xattrs(p)
		if err != nil || attrs["user.cosafs.state"] != "failed" || attrs["user.cosafs.reason"] != reason {
			t.Errorf("Xattrs(%s) = %q, %v, want failed, %q", p, attrs, err, reason)
		}
	}
	h.wantFile(t, qemu, h.Want(t, qemu)) // nothing else suffers
}

func xattrs(h *Harness) {
	t := h.T
	want := map[string]string{"user.cosafs.state": "local", "user.cosafs.sha256": "00ff", "user.cosafs.size": "1200001", "user.cosafs.source": "workdir"}
	if got, err := h.Access.Xattrs(qemu); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Xattrs(%s) = %q, %v, want %q", qemu, got, err, want)
	}
	want = map[string]string{"user.cosafs.state": "buildable"}
	if got, err := h.Access.Xattrs(metal); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Xattrs(%s) = %q, %v, want %q", metal, got, err, want)
	}
	if c := h.Counters(t); c.Opens != 0 {
		t.Errorf("reading attributes opened %d files", c.Opens)
	}
}

func control(h *Harness) {
	t := h.T
	for range 2 { // the text is new at each open
		b, err := h.read(".cosafs/status")
		want := fmt.Sprintf("opens %d\n", h.Counters(t).Opens)
		if err != nil || !strings.HasPrefix(string(b), want) {
			t.Errorf("status = %q, %v, want it to start with %q", b, err, want)
		}
		if size := h.stat(t, ".cosafs/status").Size; size != int64(len(b)) {
			t.Errorf("size of status = %d, want %d", size, len(b))
		}
		h.wantFile(t, metal, h.Want(t, metal))
	}
	h.wantFile(t, ".cosafs/jobs/1/log", []byte("log of job 1\n"))
	if names, err := h.Access.List(".cosafs/jobs/1"); err != nil || strings.Join(names, " ") != "log plan progress" {
		t.Errorf("List(.cosafs/jobs/1) = %q, %v", names, err)
	}
	if _, err := h.Access.Stat(".cosafs/jobs/99/log"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of a job that never was: %v", err)
	}
}
