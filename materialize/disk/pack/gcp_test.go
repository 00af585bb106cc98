package pack_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cosafs/materialize/disk/pack"
	"cosafs/materialize/disk/view"
	"cosafs/test/need"
)

// A disk beyond octal comes back from gcp's archive as it was, and as sparse.
func TestGCPGivesTheDiskBack(t *testing.T) {
	need.Tool(t, "tar", "gzip")
	_, im := sparse(t, rand.New(rand.NewPCG(1, 4)), 9<<30, 300)
	var out bytes.Buffer
	if err := pack.GCP(t.Context(), &out, im, pack.GCPOptions{Time: time.Unix(1700000000, 0)}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	do(t, dir, &out, "tar", "-xzSf", "-")
	sameImages(t, openFile(t, dir+"/disk.raw"), im)
	var st unix.Stat_t
	if err := unix.Stat(dir+"/disk.raw", &st); err != nil || st.Blocks > 2*view.Blocks(im) || st.Mtim.Sec != 1700000000 {
		t.Errorf("%d blocks, the disk has %d; time %d; %v", st.Blocks, view.Blocks(im), st.Mtim.Sec, err)
	}
}

func TestGCPIsReproducible(t *testing.T) {
	_, im := sparse(t, rand.New(rand.NewPCG(2, 4)), 1<<30, 400)
	var outs [2]bytes.Buffer
	for i, workers := range []int{1, 5} {
		o := pack.GCPOptions{Time: time.Unix(7, 0), Workers: workers}
		if err := pack.GCP(t.Context(), &outs[i], im, o); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(outs[0].Bytes(), outs[1].Bytes()) {
		t.Error("the number of workers changes the archive")
	}
	header := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}
	if !bytes.HasPrefix(outs[0].Bytes(), header) {
		t.Errorf("header % x, want no name, no time and no system", outs[0].Bytes()[:10])
	}
	inside, err := gzip.NewReader(&outs[0])
	if err != nil {
		t.Fatal(err)
	}
	archive := tarOf(t, im, "disk.raw", time.Unix(7, 0))
	if sumOf(t, inside) != sumOf(t, view.Reader(t.Context(), archive)) {
		t.Error("what is inside isn't what Tar shows")
	}
}

func TestGCPRefusesATime(t *testing.T) {
	err := pack.GCP(t.Context(), io.Discard, view.Bytes([]byte("x")), pack.GCPOptions{})
	if !errors.Is(err, fs.ErrInvalid) {
		t.Error(err)
	}
}
