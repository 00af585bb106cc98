package appliance

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"cosafs/materialize"
)

// rootSize is the size of the guest's root file system, which is sparse.
const rootSize = "2G"

// excluded are files that no step needs. Not gconv: mkfs.fat wants codepage 850.
func excluded() []string {
	return strings.Fields("-/usr/share/doc/* -/usr/share/man/* -/usr/share/locale/* -/usr/share/info/* " +
		"-/usr/share/lintian/* -/usr/share/bash-completion/* -/usr/share/perl/* -/usr/share/icons/* " +
		"-/usr/lib/x86_64-linux-gnu/perl/* -/usr/lib/x86_64-linux-gnu/perl-base/*")
}

// build makes the appliance beside dir and moves it there when it is complete.
func (c Config) build(ctx context.Context, dir string, t *materialize.Task) error {
	tmp, err := os.MkdirTemp(c.Dir, building)
	if err != nil {
		return fmt.Errorf("appliance: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }() // what stays is swept by the next build
	plan, out := filepath.Join(tmp, "plan"), filepath.Join(tmp, "out")
	args := append([]string{"--prepare", "--use-installed", "-o", plan}, c.Packages...)
	if err := c.supermin(ctx, t, tmp, args...); err != nil {
		return err
	}
	if err := c.addInit(plan); err != nil {
		return materialize.Fail(spaceOr(materialize.ClassTool, err), op, "free some space", err)
	}
	err = c.supermin(ctx, t, tmp, "--build", "--use-installed", "--format", "ext2", "--size", rootSize, plan, "-o", out)
	if err != nil {
		return err
	}
	if err := detachKernel(out); err != nil {
		return materialize.Fail(spaceOr(materialize.ClassTool, err), op, "free some space", err)
	}
	return os.Rename(out, dir)
}

// supermin runs it with the kernel of our choice and its temporary files in tmp.
func (c Config) supermin(ctx context.Context, t *materialize.Task, tmp string, args ...string) error {
	var said tail
	cmd := materialize.CommandContext(ctx, t, "supermin", args...)
	cmd.Env = append(cmd.Environ(), "TMPDIR="+tmp, "SUPERMIN_KERNEL="+c.Kernel,
		"SUPERMIN_KERNEL_VERSION="+release(c.Kernel), "SUPERMIN_MODULES=/lib/modules/"+release(c.Kernel))
	cmd.Stdout, cmd.Stderr = t.Log, io.MultiWriter(logOf(t), &said)
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("supermin %s: %w: %s", args[0], err, said.String())
	return materialize.Fail(spaceOr(materialize.ClassTool, err), op,
		"apt-get install "+strings.Join(c.Packages, " "), err)
}

// addInit puts the program into what supermin builds from, as /init, and leaves
// out what nobody needs.
func (c Config) addInit(plan string) error {
	program, err := os.ReadFile(c.Program)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	// It is unpacked at once: compressing would only take time.
	z, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "./init", Mode: 0o755, Size: int64(len(program))}); err != nil {
		return err
	}
	if _, err := w.Write(program); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(plan, "init.tar.gz"), b.Bytes(), 0o644); err != nil {
		return err
	}
	list := strings.Join(excluded(), "\n") + "\n"
	return os.WriteFile(filepath.Join(plan, "excludefiles"), []byte(list), 0o644)
}

// detachKernel replaces supermin's link to the kernel by the kernel, so that an
// upgrade of this machine doesn't change or break the appliance.
func detachKernel(out string) error {
	path := filepath.Join(out, "kernel")
	kernel, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.WriteFile(path, kernel, 0o644)
}
