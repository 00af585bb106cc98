package stream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"cosafs/backend/backendtest"
	"cosafs/materialize"
	"cosafs/test/need"
	"cosafs/vfs/vfstest"
)

// pack compresses.
func pack(t *testing.T, format string, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch format {
	case "xz":
		need.Tool(t, "xz")
		cmd := exec.Command("xz", "-0c")
		cmd.Stdin, cmd.Stdout = bytes.NewReader(raw), &b
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	case "gz":
		w = gzip.NewWriter(&b)
	case "zst":
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	_, err := w.Write(raw)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// packed is a qemu image that cosa compress went over.
func packed(t *testing.T, format string, raw []byte) image {
	t.Helper()
	return image{kind: "qemu", file: qemuFile("1.0", x86) + "." + format, data: pack(t, format, raw), raw: raw}
}

func TestUncompressedNames(t *testing.T) {
	raw := bytes.Repeat(random(1, 1000), 300)
	for _, format := range []string{"xz", "gz", "zst"} {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t)
			w.build("1.0", x86, packed(t, format, raw))
			store, counts := backendtest.Counting(w.Store)
			tr := open(t, store)
			tr.sync()
			full, short := "1.0/x86_64/"+qemuFile("1.0", x86), "1.0/x86_64/qemu.qcow2"
			tr.wantNames("1.0/x86_64", "commitmeta.json", "meta.json", qemuFile("1.0", x86)+"."+format)
			asked := calls(counts)
			if a := tr.attr(full); a.Size != int64(len(raw)) {
				t.Errorf("size of the uncompressed file is %d; want %d", a.Size, len(raw))
			}
			tr.wantXattr(short, "sha256", digest(raw))
			tr.wantXattr(short, "state", "remote")
			if calls(counts) != asked {
				t.Error("looking asked the store")
			}
			tr.want(short, raw)
			tr.wantXattr(full, "state", "cached")
			asked = calls(counts)
			tr.want(full, raw)
			if calls(counts) != asked {
				t.Error("a second read asked the store")
			}
			tr.want(short+"."+format, w.object("1.0/x86_64/"+qemuFile("1.0", x86)+"."+format))
			if jobs := tr.Library().Jobs(); len(jobs) != 1 || jobs[0].State != materialize.JobDone || jobs[0].Title != "unpack" {
				t.Errorf("jobs = %+v; want one that unpacked", jobs)
			}
		})
	}
}

// object reads what the store holds.
func (w *world) object(key string) []byte {
	w.t.Helper()
	body, err := w.Open(w.t.Context(), keyOf(key), all, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return readAll(w.t, body)
}

func TestUnpackedSizeIsLearnt(t *testing.T) {
	raw := bytes.Repeat(random(1, 1000), 100)
	w := newWorld(t)
	im := packed(t, "gz", raw)
	im.noRaw = true
	w.build("1.0", x86, im)
	tr := open(t, w.Store)
	tr.sync()
	path := "1.0/x86_64/qemu.qcow2"
	if a := tr.attr(path); a.Size != -1 {
		t.Errorf("size is %d before anybody could know it", a.Size)
	}
	tr.want(path, raw)
	if a := tr.attr(path); a.Size != int64(len(raw)) {
		t.Errorf("size is %d; want %d", a.Size, len(raw))
	}
}

func TestWrongUncompressedDigest(t *testing.T) {
	raw := bytes.Repeat(random(1, 1000), 100)
	for _, format := range []string{"xz", "gz", "zst"} {
		im := packed(t, format, raw)
		other := bytes.Clone(raw)
		other[5] ^= 1
		im.raw = other // same length
		w := newWorld(t)
		w.build("1.0", x86, im)
		tr := open(t, w.Store)
		tr.sync()
		tr.wantErr("1.0/x86_64/qemu.qcow2", materialize.ErrCorrupt)
		tr.wantXattr("1.0/x86_64/qemu.qcow2", "state", "remote")
	}
}

// Damaged data is refused, whether or not a digest of what it holds is recorded.
func TestDamagedPacked(t *testing.T) {
	raw := bytes.Repeat(random(1, 1000), 300)
	for _, format := range []string{"xz", "gz", "zst"} {
		for _, noRaw := range []bool{false, true} {
			im := packed(t, format, raw)
			im.noRaw = noRaw
			w := newWorld(t)
			w.build("1.0", x86, im)
			key := "1.0/x86_64/" + im.file
			data := w.object(key)
			data[len(data)/2] ^= 0xff
			w.put(key, data)
			tr := open(t, w.Store)
			tr.sync()
			tr.wantErr("1.0/x86_64/qemu.qcow2", materialize.ErrCorrupt)
		}
	}
}

func TestNoXZ(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, packed(t, "xz", random(1, 1000)))
	tr := open(t, w.Store)
	tr.sync()
	t.Setenv("PATH", t.TempDir())
	_, err := tr.read("1.0/x86_64/qemu.qcow2")
	class, hint := materialize.ClassOf(err)
	if !errors.Is(err, exec.ErrNotFound) || class != materialize.ClassTool || !strings.Contains(hint, "xz-utils") {
		t.Errorf("read: %v, class %s, hint %q; want how to install xz", err, class, hint)
	}
}

// What is compressed by nature has no uncompressed twin.
func TestCompressedByNature(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, image{kind: "gcp", data: random(1, 1000)}, image{kind: "digitalocean", data: random(2, 1000)})
	tr := open(t, w.Store)
	tr.sync()
	tr.want("1.0/x86_64/gcp.tar.gz", random(1, 1000))
	for _, name := range []string{"gcp.tar", "digitalocean.qcow2"} {
		if _, err := tr.openFile("1.0/x86_64/" + name); err == nil {
			t.Errorf("%s resolves", name)
		}
	}
}

func TestManyOpensUnpackOnce(t *testing.T) {
	raw := bytes.Repeat(random(1, 1000), 300)
	w := newWorld(t)
	w.build("1.0", x86, packed(t, "gz", raw))
	store, counts := backendtest.Counting(w.Store)
	tr := open(t, store)
	tr.sync()
	opens := counts.Calls(backendtest.Open)
	errs := make(chan error)
	for range 20 {
		go func() {
			got, err := tr.read("1.0/x86_64/qemu.qcow2")
			if err == nil && !bytes.Equal(got, raw) {
				err = errors.New("wrong bytes")
			}
			errs <- err
		}()
	}
	for range 20 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := counts.Calls(backendtest.Open) - opens; n != 1 {
		t.Errorf("20 opens read the object %d times; want once", n)
	}
}

// A caller who leaves while a job unpacks is let go at once; the job ends when
// nobody waits for it, and leaves nothing.
func TestLeaveWhileUnpacking(t *testing.T) {
	w := newWorld(t)
	im := packed(t, "gz", random(1, 200_000))
	w.build("1.0", x86, im)
	tr := open(t, backendtest.Faulty(w.Store, backendtest.Fault{
		Op: backendtest.Open, Key: keyOf("1.0/x86_64/" + im.file), Wait: make(chan struct{}), At: 100_000,
	}))
	tr.sync()
	lib := tr.Library()
	e, err := lib.Resolve(t.Context(), "1.0", x86, "qemu.qcow2")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := lib.Open(ctx, e)
		failed <- err
	}()
	vfstest.Eventually(t, "the job tells its progress", func() bool {
		p, ok := lib.Progress(e)
		return ok && p > 0 && p < 1
	})
	if p, err := tr.Plan(t.Context(), "1.0/x86_64/qemu.qcow2"); err != nil || p.State != materialize.StateBuilding || p.Job == "" {
		t.Errorf("Plan = %+v, %v; want the job that is at it", p, err)
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v; want Canceled", err)
	}
	vfstest.Eventually(t, "the job is cancelled", func() bool {
		jobs := lib.Jobs()
		return len(jobs) == 1 && jobs[0].State == materialize.JobCancelled
	})
	tr.wantXattr("1.0/x86_64/qemu.qcow2", "state", "remote")
}
