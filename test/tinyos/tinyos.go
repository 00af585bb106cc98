// Package tinyos makes a small operating system that really boots, for tests
// and the demonstration: an rpm-md repository made of a few Debian packages,
// and a configuration for it as coreos-assembler wants it.
//
// The same Debian packages give the same bytes of every RPM and of the
// repository's metadata.
package tinyos

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Marker is the line that a booted tinyos prints on its serial console when
// everything came up.
const Marker = "TINYOS-BOOT-OK"

// Name is the OS's name, metadata.name of its manifest.
const Name = "tinyos"

// A Profile says how much of an OS is made.
type Profile string

// The profiles.
const (
	// Tiny is a kernel and busybox: about 30 MB, boots in seconds even where
	// the processor is emulated.
	Tiny Profile = "tiny"
)

// Config says what to make.
type Config struct {
	// Dir gets repo/ (the RPMs) and config/ (a git repository with
	// manifest.yaml, image.yaml and the rest). What is there is replaced.
	Dir string
	// Debs keeps downloaded Debian packages: what is there is not downloaded
	// again. Empty means cosafs/debs in the user's cache directory.
	Debs    string
	Profile Profile // empty = Tiny
	Arch    string  // RPM basearch; empty = x86_64
	// Packages are added to the manifest, such as [HelloName].
	Packages []string
}

// epoch is the time that every package, file and git commit bears.
func epoch() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }

// withDefaults fills in what was left empty and makes paths absolute.
func (c Config) withDefaults() (Config, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return c, fmt.Errorf("tinyos: %w", err)
	}
	c.Dir = dir
	if c.Debs == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return c, fmt.Errorf("tinyos: %w", err)
		}
		c.Debs = filepath.Join(cache, "cosafs", "debs")
	}
	if c.Profile == "" {
		c.Profile = Tiny
	}
	if c.Arch == "" {
		c.Arch = "x86_64"
	}
	if c.Profile != Tiny {
		return c, fmt.Errorf("tinyos: no such profile: %q", c.Profile)
	}
	return c, nil
}

// Make writes the repository and the configuration. It needs apt-get (only
// when a package has to be downloaded), dpkg-deb, createrepo_c and git, and no
// privileges.
func Make(ctx context.Context, cfg Config, log io.Writer) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	repo := filepath.Join(cfg.Dir, "repo")
	if err := os.RemoveAll(repo); err != nil {
		return fmt.Errorf("tinyos: %w", err)
	}
	pkgs, err := packages(ctx, cfg, log)
	if err != nil {
		return err
	}
	if err := Publish(ctx, cfg.Dir, append(pkgs, extras()...)...); err != nil {
		return err
	}
	return writeConfig(ctx, cfg)
}

// Clone gives dir what Make would: a copy of the OS below from, which Make
// made. It takes a fraction of the time. RPMs are hard links where they can be.
func Clone(ctx context.Context, from, dir string) error {
	cfg, err := Config{Dir: dir}.withDefaults()
	if err != nil {
		return err
	}
	repo := filepath.Join(cfg.Dir, "repo")
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return fmt.Errorf("tinyos: %w", err)
	}
	if _, err := run(ctx, cfg.Dir, nil, "cp", "-a", "--no-target-directory", "--link", filepath.Join(from, "repo"), repo); err != nil {
		if _, err := run(ctx, cfg.Dir, nil, "cp", "-a", "--no-target-directory", filepath.Join(from, "repo"), repo); err != nil {
			return err
		}
	}
	return writeConfig(ctx, cfg)
}

// packages makes the packages of the OS itself.
func packages(ctx context.Context, cfg Config, log io.Writer) ([]Package, error) {
	d, err := newDebs(cfg, log)
	if err != nil {
		return nil, err
	}
	kernel, err := d.kernel(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.fetch(ctx, append(bootDebs(), kernel, "busybox-static")...); err != nil {
		return nil, err
	}
	fsys, err := filesystemPackage()
	if err != nil {
		return nil, err
	}
	busybox, err := busyboxPackage(ctx, d)
	if err != nil {
		return nil, err
	}
	linux, err := kernelPackage(ctx, d, kernel)
	if err != nil {
		return nil, err
	}
	return []Package{fsys, busybox, linux}, nil
}
