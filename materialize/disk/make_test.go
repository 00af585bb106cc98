package disk_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"cosafs/materialize"
	"cosafs/materialize/disk"
	"cosafs/materialize/disk/install"
	"cosafs/materialize/disk/view"
	"cosafs/test/need"
)

// madeUp is a base disk of 8 MiB that no system boots from. Its field lies
// across two places.
func madeUp(t *testing.T) materialize.BaseDisk {
	t.Helper()
	need.Tool(t, "sgdisk")
	field, err := install.PlatformField("metal")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "base, 1.raw")
	sh(t, ".", "truncate -s 8M '"+path+"' && sgdisk -n 1:0:+1M -n 2:0:0 '"+path+"'")
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []view.Piece{
		{Offset: 1 << 20, Data: bytes.Repeat([]byte("something "), 1<<17)},
		{Offset: 1<<20 + 1000, Data: field[:100]},
		{Offset: 1<<20 + 70000, Data: field[100:]},
		{Offset: 5 << 20, Data: []byte("x")},
	} {
		if _, err := f.WriteAt(p.Data, p.Offset); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return materialize.BaseDisk{Path: path, Size: 8 << 20, Platform: []materialize.Extent{
		{Offset: 1<<20 + 1000, Length: 100}, {Offset: 1<<20 + 70000, Length: install.FieldWidth - 100},
	}}
}

// stamped writes what the disk is for a platform.
func stamped(t *testing.T, base materialize.BaseDisk, platform string) string {
	t.Helper()
	b, err := os.ReadFile(base.Path)
	if err != nil {
		t.Fatal(err)
	}
	field, err := install.PlatformField(platform)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range base.Platform {
		copy(b[e.Offset:], field[:e.Length])
		field = field[e.Length:]
	}
	path := filepath.Join(t.TempDir(), platform+".raw")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// grown is stamped on a disk of so many GiB.
func grown(t *testing.T, base materialize.BaseDisk, platform, size string) string {
	t.Helper()
	path := stamped(t, base, platform)
	sh(t, ".", "truncate -s "+size+"G "+path+" && sgdisk -e "+path)
	return path
}

// made makes the artifact of a kind.
func made(t *testing.T, base materialize.BaseDisk, kind string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), kind)
	w := disk.New(disk.Config{})
	if err := w.Make(t.Context(), request(base, kind), out, newTask(t)); err != nil {
		t.Fatal(err)
	}
	return out
}

func request(base materialize.BaseDisk, kind string) materialize.ImageRequest {
	return materialize.ImageRequest{
		Kind: kind, Base: base, ImageJSON: []byte(`{"size": 1, "vmware-hw-version": 15, "vmware-os-type": "other"}`), Name: "fcos", Build: "1.0", Version: "1.0", Summary: "An OS",
		Arch: "x86_64", File: "fcos-1.0-" + kind + ".x86_64.x", Time: time.Unix(1700000000, 0),
	}
}

func TestMakeMetal(t *testing.T) {
	base := madeUp(t)
	for _, kind := range []string{"metal", "metal4k"} {
		sh(t, ".", "cmp "+made(t, base, kind)+" "+stamped(t, base, "metal"))
	}
}

// Each kind's file holds the disk that the classic way gives it: stamped, grown,
// and the end of its partition table moved.
func TestMakeEachKind(t *testing.T) {
	need.Tool(t, "qemu-img")
	base := madeUp(t)
	formats := map[string]string{".qcow2": "qcow2", ".raw": "raw", ".vhd": "vpc"}
	for kind, suffix := range map[string]string{
		"qemu": ".qcow2", "aliyun": ".qcow2", "applehv": ".raw", "azure": ".vhd", "azurestack": ".vhd", "exoscale": ".qcow2",
		"hetzner": ".raw", "ibmcloud": ".qcow2", "openstack": ".qcow2", "oraclecloud": ".qcow2", "proxmoxve": ".qcow2", "vultr": ".raw",
	} {
		t.Run(kind, func(t *testing.T) {
			size := "1"
			if kind == "ibmcloud" {
				size = "100" // that cloud's boot disks are
			}
			want, out, format := grown(t, base, kind, size), made(t, base, kind), formats[suffix]
			sh(t, ".", "qemu-img compare -q -f raw -F "+format+" "+want+" "+out)
			if format == "qcow2" {
				sh(t, ".", "qemu-img check -q "+out)
			}
		})
	}
}

// What can't be computed as it is read holds the same disk, and comes out the same
// every time.
func TestMakeCoded(t *testing.T) {
	need.Tool(t, "qemu-img")
	need.Tool(t, "tar")
	base := madeUp(t)
	for kind, script := range map[string]string{
		"gcp":          `tar -xzSf $OUT disk.raw && cmp disk.raw $WANT`,
		"digitalocean": `gzip -cd <$OUT >q && qemu-img compare -q -f raw -F qcow2 $WANT q`,
		"nutanix":      `qemu-img check -q $OUT && qemu-img compare -q -f raw -F qcow2 $WANT $OUT`,
		"hyperv":       `qemu-img compare -q -f raw -F vhdx $WANT $OUT`,
		"powervs":      `tar -xzOf $OUT fcos-1.0-disk.raw | cmp - $WANT && tar -xzOf $OUT coreos.ovf | grep -q 'An OS'`,
		"aws":          `qemu-img check -q $OUT && qemu-img compare -q -f raw -F vmdk $WANT $OUT`,
		"vmware": `tar -xf $OUT && qemu-img compare -q -f raw -F vmdk $WANT disk.vmdk
			grep -q vmx-15 coreos.ovf && grep -q 'osType="other"' coreos.ovf && grep -q 'SecureBootEnabled" vmw:value="false"' coreos.ovf`,
		"virtualbox": `tar -xf $OUT && qemu-img compare -q -f raw -F vmdk $WANT disk.vmdk && grep -q virtualbox coreos.ovf`,
		"kubevirt": `tar -xf $OUT && for b in blobs/sha256/*; do tar -xzf $b disk 2>/dev/null || true; done
			qemu-img compare -q -f raw -F qcow2 $WANT disk/fcos-1.0-kubevirt.x86_64.qcow2`,
	} {
		t.Run(kind, func(t *testing.T) {
			want, out := grown(t, base, kind, "1"), made(t, base, kind)
			sh(t, t.TempDir(), "set -e; WANT="+want+" OUT="+out+"\n"+script)
			sh(t, ".", "cmp "+out+" "+made(t, base, kind))
			if _, err := disk.New(disk.Config{}).View(request(base, kind)); !errors.Is(err, materialize.ErrNotMakeable) {
				t.Errorf("as a view: %v, want ErrNotMakeable", err)
			}
		})
	}
}

// A file takes the space of the disk's data, not of its size.
func TestMadeFilesAreSparse(t *testing.T) {
	base := madeUp(t)
	for _, kind := range []string{"metal", "vultr", "azure", "qemu"} {
		st, err := os.Stat(made(t, base, kind))
		if err != nil {
			t.Fatal(err)
		}
		if have := st.Sys().(*syscall.Stat_t).Blocks * 512; have > 4<<20 { //nolint:errcheck // it is one on Linux
			t.Errorf("%s takes %d bytes for 1.3 MB of data", kind, have)
		}
	}
}

// A view has the bytes of the file that Make writes, and writes none.
func TestViewIsWhatMakeWrites(t *testing.T) {
	base, w := madeUp(t), disk.New(disk.Config{})
	if got := w.Views(); slices.Contains(got, "qemu") || slices.Contains(got, "metal") || !slices.Contains(got, "azure") {
		t.Errorf("views: %q", got)
	}
	for _, kind := range []string{"azure", "openstack"} {
		file, err := os.Open(made(t, base, kind))
		if err != nil {
			t.Fatal(err)
		}
		v, err := w.View(request(base, kind))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := digest(t, io.NewSectionReader(v, 0, v.Size()+1)), digest(t, file); got != want {
			t.Errorf("%s: sha256 %x; want that of the file, %x", kind, got, want)
		}
		if err := errors.Join(v.Close(), file.Close()); err != nil {
			t.Error(err)
		}
	}
}

func digest(t *testing.T, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return string(h.Sum(nil))
}

// Two disks have different UUIDs, the same disk always the same.
func TestVHDNamesItsDisk(t *testing.T) {
	base, other := madeUp(t), madeUp(t) // partition tables are random
	uuid := func(base materialize.BaseDisk) string {
		t.Helper()
		v, err := disk.New(disk.Config{}).View(request(base, "azure"))
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 16)
		_, err = v.ReadAt(b, v.Size()-512+68) // in the footer
		if err := errors.Join(err, v.Close()); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if first, again := uuid(base), uuid(base); first != again || first == uuid(other) {
		t.Error("a VHD's UUID doesn't follow from its disk")
	}
}

func TestMakeFails(t *testing.T) {
	w, base := disk.New(disk.Config{}), madeUp(t)
	out := filepath.Join(t.TempDir(), "out")
	make := func(base materialize.BaseDisk, kind, imageJSON string) error {
		t.Helper()
		req := request(base, kind)
		req.ImageJSON = []byte(imageJSON)
		err := w.Make(t.Context(), req, out, newTask(t))
		if _, serr := os.Stat(out); !errors.Is(serr, fs.ErrNotExist) {
			t.Errorf("%s: a failed one is there: %v", kind, serr)
		}
		return err
	}
	if err := make(base, "gameboy", `{"size": 2}`); !errors.Is(err, materialize.ErrNotMakeable) {
		t.Errorf("unknown kind: got %v, want ErrNotMakeable", err)
	}
	large := base
	large.Size = 3 << 30
	wantClass(t, make(large, "qemu", `{"size": 2}`), materialize.ClassConfig)
	gone := base
	gone.Path += "-gone"
	if err := make(gone, "metal", `{"size": 2}`); err == nil {
		t.Error("no base disk, no error")
	}
	base.Platform = base.Platform[:1]
	if err := make(base, "metal", `{"size": 2}`); err == nil {
		t.Error("a field that doesn't fit, no error")
	}
	base = madeUp(t)
	sh(t, ".", "truncate -s 4M '"+base.Path+"'") // the end of its table is gone
	if err := make(base, "qemu", `{"size": 2}`); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a damaged disk: %v, want ErrInvalid", err)
	}
}
