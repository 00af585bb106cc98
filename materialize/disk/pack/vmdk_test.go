package pack_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/materialize/disk/pack"
	"cosafs/materialize/disk/view"
	"cosafs/test/need"
)

// writeVMDK writes a VMDK to a new file.
func writeVMDK(t *testing.T, im view.Image, o pack.VMDKOptions) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.vmdk")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(pack.VMDK(t.Context(), f, im, o), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// qemu-img finds nothing wrong and reads the same disk: empty, with a last grain that is
// cut short, with data in several grain tables.
func TestVMDKIsTheDisk(t *testing.T) {
	need.Tool(t, "qemu-img")
	for _, tt := range []struct {
		name   string
		size   int64
		places int
	}{
		{"empty", 10 << 20, 0},
		{"small", 512, 1},
		{"odd end", 33<<20 + 3*512, 200},
		{"many tables", 200 << 20, 300},
		{"large", 100 << 30, 50},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw, im := sparse(t, rand.New(rand.NewPCG(1, uint64(tt.size))), tt.size, tt.places)
			path := writeVMDK(t, im, pack.VMDKOptions{})
			do(t, "", nil, "qemu-img", "check", "-q", "-f", "vmdk", path)
			do(t, "", nil, "qemu-img", "compare", "-q", "-f", "raw", "-F", "vmdk", raw, path)
		})
	}
}

// The descriptor is qemu-img's but for the random id, and the disk's parts are of the
// same sizes.
func TestVMDKDescriptorIsQemus(t *testing.T) {
	need.Tool(t, "qemu-img")
	raw, im := sparse(t, rand.New(rand.NewPCG(1, 9)), 100<<20, 10)
	for options, o := range map[string]pack.VMDKOptions{
		"adapter_type=lsilogic,subformat=streamOptimized,compat6": {},
		"subformat=streamOptimized":                               {Adapter: "ide", Hardware: "4"},
	} {
		theirs := filepath.Join(t.TempDir(), "disk.vmdk")
		do(t, "", nil, "qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", options, raw, theirs)
		if d := cmp.Diff(descriptor(t, theirs), descriptor(t, writeVMDK(t, im, o))); d != "" {
			t.Errorf("%s: (-qemu-img +own)\n%s", options, d)
		}
	}
}

// descriptor gives a VMDK's with the id masked.
func descriptor(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.TrimRight(b[512:21*512], "\x00")
	return string(regexp.MustCompile(`(?m)^CID=.*$`).ReplaceAll(text, []byte("CID=")))
}

func TestVMDKIsReproducible(t *testing.T) {
	_, im := sparse(t, rand.New(rand.NewPCG(2, 9)), 70<<20, 100)
	var one, three, other bytes.Buffer
	err := errors.Join(
		pack.VMDK(t.Context(), &one, im, pack.VMDKOptions{Seed: "a", Workers: 1}),
		pack.VMDK(t.Context(), &three, im, pack.VMDKOptions{Seed: "a", Workers: 3}),
		pack.VMDK(t.Context(), &other, im, pack.VMDKOptions{Seed: "b"}),
	)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Bytes(), three.Bytes()) {
		t.Error("the number of workers changes the output")
	}
	if bytes.Equal(one.Bytes(), other.Bytes()) {
		t.Error("two disks have the same content id")
	}
}

// What has no data is not read, and zeros in data are not stored.
func TestVMDKHoldsDataAlone(t *testing.T) {
	zeros := view.Patch(view.Grow(view.Bytes(nil), 1<<40), view.Piece{Offset: 5 << 30, Data: make([]byte, 1<<20)})
	var b bytes.Buffer
	if err := pack.VMDK(t.Context(), &b, zeros, pack.VMDKOptions{}); err != nil {
		t.Fatal(err)
	}
	if most := 1<<40/(32<<20)*4 + 128*512 + 5*512; b.Len() > most {
		t.Errorf("an empty TiB takes %d bytes, want %d at most", b.Len(), most)
	}
}

func TestVMDKRefuses(t *testing.T) {
	for _, size := range []int64{100, 2 << 40} {
		err := pack.VMDK(t.Context(), io.Discard, view.Grow(view.Bytes(nil), size), pack.VMDKOptions{})
		if !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%d bytes: %v, want fs.ErrInvalid", size, err)
		}
	}
}

// errFull is a disk that is full.
var errFull = errors.New("no space left")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestVMDKFails(t *testing.T) {
	_, im := sparse(t, rand.New(rand.NewPCG(3, 9)), 40<<20, 100)
	if err := pack.VMDK(t.Context(), fullDisk{}, im, pack.VMDKOptions{}); !errors.Is(err, errFull) {
		t.Errorf("on a full disk: %v", err)
	}
	broken := brokenImage{im}
	if err := pack.VMDK(t.Context(), io.Discard, broken, pack.VMDKOptions{}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("of a disk that can't be read: %v", err)
	}
}

type brokenImage struct{ view.Image }

func (brokenImage) ReadAt([]byte, int64) (int, error) { return 0, fs.ErrClosed }
