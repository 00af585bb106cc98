package tinyos

import (
	"bytes"
	"context"
	"debug/elf"
	_ "embed" // files/init
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/cavaliergopher/cpio"
	"github.com/klauspost/compress/zstd"
)

//go:embed files/init
var initScript []byte

const prepareRoot = "/usr/lib/ostree/ostree-prepare-root"

// bootDebs hold ostree-prepare-root and every library it needs.
func bootDebs() []string {
	return []string{
		"ostree-boot", "libc6", "libsystemd0", "libcap2", "libgcrypt20", "liblzma5", "libzstd1", "liblz4-1", "libgpg-error0",
	}
}

// initramfs packs busybox, ostree-prepare-root and modules, compressed as the
// kernel can unpack it fastest.
func initramfs(ctx context.Context, d *debs, modules Tree) ([]byte, error) {
	t := Tree{}
	for _, dir := range []string{"/dev", "/proc", "/sys", "/run", "/sysroot", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64"} {
		t.dir(dir, 0o755)
	}
	for _, l := range []string{"bin", "sbin", "lib", "lib64"} {
		t.link("/"+l, "usr/"+l)
	}
	bb, err := busybox(ctx, d)
	if err != nil {
		return nil, err
	}
	t["/usr/bin/busybox"] = bb
	t.put("/init", initScript, 0o755)
	t.add(modules)
	if err := addPrepareRoot(ctx, d, t); err != nil {
		return nil, err
	}
	return compress(t)
}

// addPrepareRoot puts the program and the libraries that it is linked with.
func addPrepareRoot(ctx context.Context, d *debs, t Tree) error {
	lib := "/usr/lib/" + d.triple
	all := Tree{}
	for _, name := range bootDebs() {
		files, err := d.tree(ctx, name, func(p string) bool {
			return p == prepareRoot || path.Dir(p) == lib || path.Dir(p) == "/usr/lib64" || path.Base(p) == "ld-linux-aarch64.so.1"
		})
		if err != nil {
			return err
		}
		all.add(files)
	}
	return addProgram(all, t, prepareRoot, lib)
}

// addProgram copies a program, its loader and its libraries from one tree to
// another, the libraries under the name that they are linked by.
func addProgram(from, to Tree, name, lib string) error {
	_, f, err := from.read(name)
	if err != nil {
		return err
	}
	to[name] = f
	needed, err := linkedWith(f.Body, lib)
	if err != nil {
		return fmt.Errorf("tinyos: %s: %w", name, err)
	}
	for _, l := range needed {
		if _, ok := to[l]; ok {
			continue
		}
		if err := addProgram(from, to, l, lib); err != nil {
			return err
		}
	}
	return nil
}

// linkedWith gives the paths of a program's loader and libraries.
func linkedWith(body []byte, lib string) ([]string, error) {
	e, err := elf.NewFile(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("read program: %w", err)
	}
	libs, err := e.ImportedLibraries()
	if err != nil {
		return nil, fmt.Errorf("read program: %w", err)
	}
	var out []string
	for _, l := range libs {
		if !strings.HasPrefix(l, "ld-linux") { // the interpreter, below
			out = append(out, path.Join(lib, l))
		}
	}
	if s := e.Section(".interp"); s != nil {
		data, err := s.Data()
		if err != nil {
			return nil, fmt.Errorf("read program: %w", err)
		}
		out = append(out, merged(strings.TrimRight(string(data), "\x00")))
	}
	return out, nil
}

// compress writes a tree as a cpio archive compressed with zstd. Directories
// that the tree doesn't name are made up: the kernel creates none by itself.
func compress(t Tree) ([]byte, error) {
	full := Tree{}
	full.add(t)
	for name := range t {
		for d := path.Dir(name); d != "/"; d = path.Dir(d) {
			if _, ok := full[d]; !ok {
				full.dir(d, 0o755)
			}
		}
	}
	var b bytes.Buffer
	// Windows above 8 MiB and several encoders at once would cost memory at boot
	// and the guarantee of equal bytes.
	z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, fmt.Errorf("tinyos: initramfs: %w", err)
	}
	w := cpio.NewWriter(z)
	for _, name := range full.names() {
		if err := addMember(w, name, full[name]); err != nil {
			return nil, fmt.Errorf("tinyos: initramfs: %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("tinyos: initramfs: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("tinyos: initramfs: %w", err)
	}
	// An archive appended to this one, as live images do, has to be aligned.
	b.Write(make([]byte, -b.Len()&3))
	return b.Bytes(), nil
}

func addMember(w *cpio.Writer, name string, f File) error {
	h := &cpio.Header{
		Name: strings.TrimPrefix(name, "/"), Size: int64(len(f.Body)), Links: 1, ModTime: epoch(),
		Mode: cpio.FileMode(f.Mode.Perm()) | cpio.TypeReg,
	}
	switch {
	case f.Mode.IsDir():
		h.Mode = cpio.FileMode(f.Mode.Perm()) | cpio.TypeDir
	case f.Mode&fs.ModeSymlink != 0:
		h.Mode = cpio.FileMode(f.Mode.Perm()) | cpio.TypeSymlink
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(f.Body) // a link's target is its body here too
	return err
}
