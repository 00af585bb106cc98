package live

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cavaliergopher/cpio"
)

// pack packs the root as an archive for an initramfs, with root.squashfs or root.erofs first:
// the file begins at byte 124, where who has the ISO mounts it from.
func (m *maker) pack(ctx context.Context) error {
	if err := m.Settle(ctx, m.root); err != nil {
		return err
	}
	name := "root." + m.req.Type
	packed := filepath.Join(m.temp, name)
	if err := m.mkfs(ctx, packed); err != nil {
		return err
	}
	defer func() { _ = os.Remove(packed) }() // scratch, which is cleared anyway
	return m.archive(m.in(rootFile), func(w *cpio.Writer) error {
		if err := m.addFile(w, name, packed); err != nil {
			return err
		}
		for _, osmet := range slices.Sorted(maps.Keys(m.req.Osmets)) {
			if err := m.addFile(w, osmet, m.req.Osmets[osmet]); err != nil {
				return err
			}
		}
		return m.addTexts(w, []text{{"etc", ""}, {"etc/coreos-live-rootfs", m.stamp()}})
	})
}

// stamp is in the initramfs and in the root: Fedora CoreOS starts from the network only
// if both are there and are of the same build (dracut module 20live).
func (m *maker) stamp() string { return m.req.Job.Build + "\n" }

func (m *maker) mkfs(ctx context.Context, out string) error {
	if m.req.Type == "erofs" {
		args := []string{"-T", strconv.FormatInt(m.Time.Unix(), 10), "-U", m.req.Job.UUID("live root")}
		return m.Run(ctx, "mkfs.erofs", append(append(args, m.req.Options...), out, m.root)...)
	}
	// SOURCE_DATE_EPOCH is its time.
	return m.Run(ctx, "mksquashfs", append([]string{m.root, out, "-noappend", "-no-progress", "-quiet"}, m.req.Options...)...)
}

// blockHash is how much of the root each hash in the initramfs is of.
const blockHash = 2 << 20 // bytes

// initramfs adds to that of the commit what tells it that it's a live system's: which
// root belongs to it, as the hashes of its blocks, and what it can do.
func (m *maker) initramfs(context.Context) error {
	hashes, err := streamHash(m.in(rootFile))
	if err != nil {
		return err
	}
	added := filepath.Join(m.temp, "live.cpio")
	err = m.archive(added, func(w *cpio.Writer) error {
		return m.addTexts(w, []text{
			{"etc", ""},
			{"etc/coreos-live-initramfs", m.stamp()},
			{"etc/coreos-live-want-rootfs", hashes},
			{"etc/coreos", ""}, // the kernel drops a file whose directory isn't there
			{"etc/coreos/features.json", m.features},
		})
	})
	if err != nil {
		return err
	}
	return appendAligned(m.in(initramfsFile), added)
}

// streamHash gives the sha256 of each block of a file, as coreos-installer's
// stream-hash reads them.
func streamHash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // read only
	var b strings.Builder
	fmt.Fprintf(&b, "stream-hash sha256 %d\n", blockHash)
	for {
		h := sha256.New()
		n, err := io.CopyN(h, f, blockHash)
		if n > 0 {
			fmt.Fprintf(&b, "%x\n", h.Sum(nil))
		}
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// appendAligned appends a file to an initramfs: the kernel wants each archive to begin
// at a multiple of four bytes.
func appendAligned(initramfs, archive string) error {
	b, err := os.ReadFile(archive)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(initramfs, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err == nil {
		_, err = f.Write(append(make([]byte, -st.Size()&3), b...))
	}
	return errors.Join(err, f.Close())
}

// archive writes an archive (cpio's newc, as the kernel wants it) that add fills.
func (m *maker) archive(path string, add func(*cpio.Writer) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) // #nosec G302: the images are for everybody
	if err != nil {
		return err
	}
	w := cpio.NewWriter(f)
	return errors.Join(add(w), w.Close(), f.Close())
}

// A text is a small file of an archive, or a directory if it's empty.
type text struct{ name, content string }

func (m *maker) addTexts(w *cpio.Writer, texts []text) error {
	for _, t := range texts {
		h := &cpio.Header{Name: t.name, Mode: cpio.TypeReg | 0o644, Size: int64(len(t.content)), ModTime: m.Time, Links: 1}
		if t.content == "" {
			h.Mode = cpio.TypeDir | 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.WriteString(w, t.content); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) addFile(w *cpio.Writer, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeReg | 0o644, Size: st.Size(), ModTime: m.Time, Links: 1}); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}
