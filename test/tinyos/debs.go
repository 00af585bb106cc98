package tinyos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// debs is a directory of downloaded Debian packages.
type debs struct {
	dir    string
	arch   string // Debian's name of it
	triple string // the directory below /usr/lib that holds its libraries
	log    io.Writer
}

func newDebs(cfg Config, log io.Writer) (*debs, error) {
	if err := os.MkdirAll(cfg.Debs, 0o755); err != nil {
		return nil, fmt.Errorf("tinyos: %w", err)
	}
	switch cfg.Arch {
	case "x86_64":
		return &debs{dir: cfg.Debs, arch: "amd64", triple: "x86_64-linux-gnu", log: log}, nil
	case "aarch64":
		return &debs{dir: cfg.Debs, arch: "arm64", triple: "aarch64-linux-gnu", log: log}, nil
	}
	return nil, fmt.Errorf("tinyos: no Debian packages for architecture %q", cfg.Arch)
}

// path is where a package lies.
func (d *debs) path(name string) (string, error) {
	found, err := filepath.Glob(filepath.Join(d.dir, name+"_*.deb"))
	if err != nil {
		return "", fmt.Errorf("tinyos: %w", err)
	}
	for i := len(found) - 1; i >= 0; i-- {
		if strings.HasSuffix(found[i], "_"+d.arch+".deb") || strings.HasSuffix(found[i], "_all.deb") {
			return found[i], nil
		}
	}
	return "", fmt.Errorf("tinyos: package %s in %s: %w", name, d.dir, fs.ErrNotExist)
}

// fetch downloads those of the packages that are not there yet.
func (d *debs) fetch(ctx context.Context, names ...string) error {
	var missing []string
	for _, name := range names {
		if _, err := d.path(name); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, name+":"+d.arch)
		} else if err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	part, err := os.MkdirTemp(d.dir, ".part-")
	if err != nil {
		return fmt.Errorf("tinyos: %w", err)
	}
	defer func() { _ = os.RemoveAll(part) }() // only a half download is lost
	_, _ = fmt.Fprintf(d.log, "downloading %s\n", strings.Join(missing, " "))
	// apt's own user may not write here, and nothing here needs that user.
	args := append([]string{"-q", "-o", "APT::Sandbox::User=root", "download"}, missing...)
	if _, err := d.run(ctx, part, "apt-get", args...); err != nil {
		return fmt.Errorf("%w (does `apt-get update` help?)", err)
	}
	return moveAll(part, d.dir)
}

// moveAll moves every file from one directory to another on the same file system.
func moveAll(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return fmt.Errorf("tinyos: %w", err)
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return fmt.Errorf("tinyos: %w", err)
		}
	}
	return nil
}

// kernel names the package of the kernel: the one downloaded before, else the
// one that Debian's meta package wants now. The cloud kernel is a third of the
// general one and has every virtual device's driver.
func (d *debs) kernel(ctx context.Context) (string, error) {
	found, err := filepath.Glob(filepath.Join(d.dir, "linux-image-*-cloud-"+d.arch+"_*.deb"))
	if err != nil {
		return "", fmt.Errorf("tinyos: %w", err)
	}
	if len(found) > 0 {
		name, _, _ := strings.Cut(filepath.Base(found[len(found)-1]), "_")
		return name, nil
	}
	meta := "linux-image-cloud-" + d.arch
	out, err := d.run(ctx, d.dir, "apt-cache", "depends", meta+":"+d.arch)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: "); ok {
			name, _, _ = strings.Cut(name, ":")
			return name, nil
		}
	}
	return "", fmt.Errorf("tinyos: apt knows no kernel behind %s", meta)
}

// tree unpacks those files of a package that keep wants.
func (d *debs) tree(ctx context.Context, name string, keep func(string) bool) (Tree, error) {
	deb, err := d.path(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	cmd.Stderr = d.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("tinyos: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("tinyos: %w", err)
	}
	t, err := readTar(out, keep)
	if err == nil {
		_, err = io.Copy(io.Discard, out) // the padding after the last member
	}
	if werr := cmd.Wait(); err == nil {
		err = werr
	}
	if err != nil {
		return nil, fmt.Errorf("tinyos: unpack %s: %w", filepath.Base(deb), err)
	}
	return t, nil
}

// version gives the epoch-less version and the release that RPM wants. Debian's
// revision is what follows the last hyphen.
func (d *debs) version(name string) (version, release string, err error) {
	deb, err := d.path(name)
	if err != nil {
		return "", "", err
	}
	v := strings.Split(filepath.Base(deb), "_")[1]
	if _, after, ok := strings.Cut(v, "%3a"); ok { // apt's spelling of the epoch's colon
		v = after
	}
	if i := strings.LastIndexByte(v, '-'); i > 0 {
		return v[:i], v[i+1:], nil
	}
	return v, "0", nil
}

// run runs a program and gives what it printed.
func (d *debs) run(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	return run(ctx, dir, nil, name, args...)
}

// run runs a program with additions to its environment; its error carries what
// the program said.
func run(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("tinyos: %s: %w: %s", name, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}
