package qemu

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"cosafs/cmd/internal/inflate"
	"cosafs/materialize"
)

// Open gives the image at a path or URL as a media. An image that is compressed,
// or in an archive that has to be unpacked, is unpacked to a file without a name
// in tempDir ("" = the system's). A Failure of ClassConfig is what can't be booted.
func Open(ctx context.Context, image, tempDir string) (*Media, error) {
	if u, err := url.Parse(image); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		return openURL(ctx, u)
	}
	// Links are followed once, so that a link that moves on, as latest does, can't
	// change the disk of a machine that runs.
	file, err := filepath.EvalSymlinks(image)
	if err == nil {
		file, err = filepath.Abs(file)
	}
	if err != nil {
		return nil, err
	}
	m := &Media{Name: image, node: file}
	if err := m.openFile(ctx, file, tempDir); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// openFile finds out what the file is.
func (m *Media) openFile(ctx context.Context, file, tempDir string) error {
	name := filepath.Base(file)
	if plain, packed := inflate.Plain(name); packed {
		f, inside, err := unpack(ctx, file, tempDir)
		if err != nil {
			return err
		}
		file, name = m.hold(f), plain
		if inside != "" {
			name = inside
		}
		m.node = file
	}
	if strings.HasSuffix(name, ".ova") {
		return m.openOVA(file)
	}
	return m.describe(name)
}

// describe takes what a name tells about an image.
func (m *Media) describe(name string) error {
	format, ok := formatOf(name)
	if !ok {
		return cantBoot(name)
	}
	m.format, m.cd = format, strings.HasSuffix(name, ".iso")
	if strings.Contains(name, "metal4k") { // cosa has no other image of such sectors
		m.sector = 4096
	}
	return nil
}

// cantBoot is the failure for what is no image, going by its name.
func cantBoot(name string) error {
	hint := "an image is .qcow2, .raw, .vhd, .vhdx, .vmdk, .iso or .ova, or one of them as .gz, .xz or .zst"
	switch {
	case strings.HasSuffix(name, ".zip"):
		hint = "unpack it first: unzip"
	case strings.HasSuffix(name, ".ociarchive"):
		hint = "qemu and metal have the same system on a disk"
	case strings.Contains(name, "live-"):
		hint = "cosafs run live-kernel boots kernel, initramfs and rootfs of a build together"
	}
	return materialize.Fail(materialize.ClassConfig, op, hint, fmt.Errorf("%s: not an image that boots: %w", path.Base(name), errors.ErrUnsupported))
}

// OpenKernel gives a kernel as a media, as a network boot has it: the initrds
// are joined in a file without a name in tempDir, and args are the kernel's.
func OpenKernel(kernel string, initrds, args []string, tempDir string) (*Media, error) {
	m := &Media{Name: kernel, kernel: kernel, append: strings.Join(args, " ")}
	f, err := nameless(tempDir)
	if err != nil {
		return nil, fmt.Errorf("join initrds: %w", err)
	}
	m.initrd = m.hold(f)
	for _, path := range initrds {
		if err := appendInitrd(f, path); err != nil {
			return nil, errors.Join(fmt.Errorf("join initrds: %w", err), m.Close())
		}
	}
	return m, nil
}

// appendInitrd adds an archive where the kernel looks for the next one: at a
// multiple of four bytes (kernel, Documentation/driver-api/early-userspace/buffer-format.rst).
func appendInitrd(to *os.File, path string) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // read only
	n, err := from.WriteTo(to)
	if err == nil && n%4 != 0 {
		_, err = to.Write(make([]byte, 4-n%4))
	}
	return err
}
