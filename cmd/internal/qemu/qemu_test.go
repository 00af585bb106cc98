package qemu_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/cmd/internal/qemu"
	"cosafs/materialize"
	"cosafs/test/need"
)

// boots is what the boot sector prints, with W for a write to the disk that went
// well.
const boots = "It boots.\r\nW\n"

// disk is a disk of 1 MiB with a boot sector. It prints to the serial port,
// writes to the disk, and ends by isa-debug-exit with 3 (qemu's code is 2*3+1),
// or resets the machine where there is no such device.
func disk() []byte {
	code := "\x31\xc0" + // xor ax, ax
		"\x8e\xd8" + "\x8e\xc0" + // mov ds, ax; mov es, ax
		"\xbc\x00\x7c" + // mov sp, 0x7c00
		"\xbe\x3d\x7c" + // mov si, text
		"\xac" + "\x84\xc0" + "\x74\x06" + // next: lodsb; test al, al; jz done
		"\xba\xf8\x03" + "\xee" + "\xeb\xf5" + // mov dx, 0x3f8; out dx, al; jmp next
		"\xb8\x01\x03" + "\xbb\x00\x7c" + // done: mov ax, 0x0301 (write a sector); mov bx, 0x7c00
		"\xb9\x02\x00" + "\xba\x80\x00" + "\xcd\x13" + // mov cx, 2 (the second); mov dx, 0x80 (first disk); int 0x13
		"\xb0W" + "\x73\x02" + "\xb0E" + // mov al, 'W'; jnc +2; mov al, 'E'
		"\xba\xf8\x03" + "\xee" + "\xb0\n" + "\xee" + // mov dx, 0x3f8; out dx, al; mov al, '\n'; out dx, al
		"\xb0\x03" + "\xe6\xf4" + // mov al, 3; out 0xf4, al
		"\xb0\xfe" + "\xe6\x64" + // mov al, 0xfe; out 0x64, al: reset
		"\xf4" + "\xeb\xfd" + // hlt; jmp back to it
		"It boots.\r\n\x00"
	d := make([]byte, 1<<20)
	copy(d, code)
	copy(d[510:], "\x55\xaa")
	return d
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// machine is a small one, emulated, that ends when the boot sector is done.
func machine(t *testing.T) *qemu.Machine {
	t.Helper()
	return &qemu.Machine{Arch: "x86_64", Memory: 64, CPUs: 1, NoReboot: true, TempDir: t.TempDir()}
}

// A console keeps what a machine prints.
type console struct {
	text []byte
	saw  func(text string) // called with all of it when there is more; may be nil
}

func (c *console) Write(p []byte) (int, error) {
	c.text = append(c.text, p...)
	if c.saw != nil {
		c.saw(string(c.text))
	}
	return len(p), nil
}

// boot boots an image and gives what the machine printed.
func boot(ctx context.Context, t *testing.T, m *qemu.Machine, image string, saw func(string)) (string, error) {
	t.Helper()
	media, err := qemu.Open(ctx, image, m.TempDir)
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	out := &console{saw: saw}
	err = m.Run(ctx, media, qemu.Streams{Out: out, Err: &said})
	if err != nil {
		t.Logf("qemu says: %s", said.String())
	}
	if err := media.Close(); err != nil {
		t.Error(err)
	}
	return string(out.text), err
}

// wantEmpty says that a directory holds nothing.
func wantEmpty(t *testing.T, when, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("%s the machine's end, %s holds %v (%v)", when, dir, entries, err)
	}
}

func TestBootLeavesNothing(t *testing.T) {
	need.Tool(t, "qemu-system-x86_64")
	image := write(t, "disk.raw", disk())
	m := machine(t)
	looked := false
	out, err := boot(t.Context(), t, m, image, func(text string) {
		if strings.Contains(text, boots) { // it has written
			wantEmpty(t, "before", m.TempDir)
			looked = true
		}
	})
	if !looked || err != nil || !strings.Contains(out, boots) {
		t.Errorf("the machine printed %q and ended with %v", out, err)
	}
	wantEmpty(t, "after", m.TempDir)
	if data, err := os.ReadFile(image); err != nil || sha256.Sum256(data) != sha256.Sum256(disk()) {
		t.Errorf("the image has changed (%v)", err)
	}
}

func TestExitCode(t *testing.T) {
	need.Tool(t, "qemu-system-x86_64")
	m := machine(t)
	m.Extra = []string{"-device", "isa-debug-exit,iobase=0xf4,iosize=1"}
	_, err := boot(t.Context(), t, m, write(t, "disk.raw", disk()), nil)
	var exit *exec.ExitError
	if class, _ := materialize.ClassOf(err); !errors.As(err, &exit) || exit.ExitCode() != 7 || class != materialize.ClassVM {
		t.Errorf("the machine ended with %v, want exit status 7 of class vm", err)
	}
}

func TestConsoleFile(t *testing.T) {
	need.Tool(t, "qemu-system-x86_64")
	m := machine(t)
	m.Console = filepath.Join(t.TempDir(), "a,b")
	out, err := boot(t.Context(), t, m, write(t, "disk.raw", disk()), nil)
	text, rerr := os.ReadFile(m.Console)
	if out != "" || !strings.Contains(string(text), boots) || errors.Join(err, rerr) != nil {
		t.Errorf("printed %q, the file holds %q (%v, %v)", out, text, err, rerr)
	}
}

// Every frame that a kind has boots.
func TestFrames(t *testing.T) {
	need.Tool(t, "qemu-system-x86_64", "qemu-img", "xz", "zstd")
	raw := write(t, "disk.raw", disk())
	dir := filepath.Dir(raw)
	script := `set -e
for f in qcow2 vpc:vhd vmdk vhdx; do qemu-img convert -q -f raw -O ${f%:*} disk.raw disk.${f#*:}; done
qemu-img convert -q -f raw -O vmdk -o subformat=streamOptimized disk.raw stream.vmdk
truncate -s 8M disk.raw # a disk in a tar has a hole
printf x > a.ovf
tar -cf disk.ova a.ovf stream.vmdk
tar --format=oldgnu -Sczf gcp.tar.gz disk.raw
cp disk.raw packed.raw
gzip -k disk.qcow2 disk.ova; xz -k packed.raw; zstd -q packed.raw`
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{
		"disk.raw", "disk.qcow2", "disk.vhd", "disk.vmdk", "disk.vhdx", "stream.vmdk", "disk.ova", "gcp.tar.gz",
		"disk.qcow2.gz", "disk.ova.gz", "packed.raw.xz", "packed.raw.zst",
	} {
		t.Run(name, func(t *testing.T) {
			m := machine(t)
			out, err := boot(t.Context(), t, m, filepath.Join(dir, name), nil)
			if err != nil || !strings.Contains(out, boots) {
				t.Errorf("the machine printed %q and ended with %v", out, err)
			}
			wantEmpty(t, "after", m.TempDir)
		})
	}
}

// iso is a CD whose boot image is the disk's boot sector (ECMA-119; El Torito,
// no emulation).
func iso() []byte {
	const sector = 2048
	d := make([]byte, 32*sector)
	copy(d[16*sector:], "\x01CD001\x01") // primary volume descriptor
	copy(d[17*sector:], "\x00CD001\x01EL TORITO SPECIFICATION")
	d[17*sector+0x47] = 19                       // where the boot catalogue is
	copy(d[18*sector:], "\xffCD001\x01")         // the descriptors end
	copy(d[19*sector:], "\x01")                  // validation entry: for x86
	copy(d[19*sector+0x1c:], "\xaa\x55\x55\xaa") // its checksum and key
	copy(d[19*sector+32:], "\x88")               // default entry: bootable, no emulation
	d[19*sector+32+6], d[19*sector+32+8] = 4, 20 // sectors of 512 bytes to load, and from where
	copy(d[20*sector:], disk()[:512])
	return d
}

func TestISO(t *testing.T) {
	need.Tool(t, "qemu-system-x86_64")
	m := machine(t)
	out, err := boot(t.Context(), t, m, write(t, "live.iso", iso()), nil)
	if want := strings.Replace(boots, "W", "E", 1); err != nil || !strings.Contains(out, want) { // there is no disk to write to
		t.Errorf("the machine printed %q and ended with %v", out, err)
	}
}

// UEFI finds nothing to boot here, and goes on looking until ctx ends.
func TestUEFIInterrupted(t *testing.T) {
	need.Tool(t, "qemu-system-x86_64", "ovmf")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m := machine(t)
	m.Firmware, m.Memory = qemu.UEFI, 128
	out, err := boot(ctx, t, m, write(t, "disk.raw", disk()), func(text string) {
		if strings.Contains(text, "BdsDxe") {
			wantEmpty(t, "before", m.TempDir)
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v after %q", err, out)
	}
	wantEmpty(t, "after", m.TempDir)
}

func TestOpenRefuses(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	members := tar.NewWriter(z)
	if err := errors.Join(members.WriteHeader(&tar.Header{Name: "README"}), members.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(must(gzip.NewReader(bytes.NewReader(packed.Bytes()))))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		data []byte
		want error
	}{
		{"a.ociarchive", nil, errors.ErrUnsupported},
		{"a.vhdx.zip", nil, errors.ErrUnsupported},
		{"os-1-live-rootfs.x86_64.img", nil, errors.ErrUnsupported},
		{"noformat", nil, errors.ErrUnsupported},
		{"a.tar.gz", packed.Bytes(), fs.ErrNotExist},
		{"a.ova", plain, fs.ErrNotExist},
		{"a.raw.gz", packed.Bytes()[:20], io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tmp := t.TempDir()
			if _, err := qemu.Open(t.Context(), write(t, tt.name, tt.data), tmp); !errors.Is(err, tt.want) {
				t.Errorf("Open = %v, want %v", err, tt.want)
			}
			wantEmpty(t, "without", tmp)
		})
	}
	if _, err := qemu.Open(t.Context(), filepath.Join(t.TempDir(), "a.raw"), ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestNoQEMU(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	media, err := qemu.Open(t.Context(), write(t, "disk.raw", nil), "")
	if err != nil {
		t.Fatal(err)
	}
	err = machine(t).Run(t.Context(), media, qemu.Streams{})
	class, hint := materialize.ClassOf(err)
	if class != materialize.ClassTool || !strings.Contains(hint, "qemu-system-x86") || !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("Run = %v of class %s with hint %q", err, class, hint)
	}
}
