package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"cosafs/materialize"
)

const modulesPath = "usr/lib/modules"

// bootFiles makes sure of exactly one kernel, where OSTree looks for it, with
// its initramfs: the package's, else one that the tree's own dracut makes.
func (c *composition) bootFiles(ctx context.Context, root *os.Root) error {
	if c.tf.Container {
		return nil
	}
	if err := fromBoot(root); err != nil {
		return err
	}
	version, err := kernelVersion(root)
	if err != nil {
		return err
	}
	dir := path.Join(modulesPath, version)
	if err := c.modulesTable(ctx, root, dir, version); err != nil {
		return err
	}
	if _, err := root.Stat(path.Join(dir, "initramfs.img")); err == nil || c.tf.NoInitramfs {
		return err
	}
	return c.dracut(ctx, root, dir, version)
}

// fromBoot moves kernels that a package has in /boot, as Debian's, to where
// OSTree looks for them.
func fromBoot(root *os.Root) error {
	entries, err := fs.ReadDir(root.FS(), "boot")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		version, ok := strings.CutPrefix(e.Name(), "vmlinuz-")
		to := path.Join(modulesPath, version, "vmlinuz")
		if _, err := root.Stat(to); !ok || err == nil {
			continue
		}
		if err := root.Rename(path.Join("boot", e.Name()), to); err != nil {
			return err
		}
	}
	return nil
}

// kernelVersion names the kernel of the tree.
func kernelVersion(root *os.Root) (string, error) {
	entries, err := fs.ReadDir(root.FS(), modulesPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var found []string
	for _, e := range entries {
		if _, err := root.Stat(path.Join(modulesPath, e.Name(), "vmlinuz")); err == nil {
			found = append(found, e.Name())
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", materialize.Fail(materialize.ClassConfig, "compose", "add a kernel package to the manifest's packages",
			fmt.Errorf("no kernel: /%s has no vmlinuz: %w", modulesPath, fs.ErrNotExist))
	default:
		return "", materialize.Fail(materialize.ClassConfig, "compose", "leave one kernel package in the manifest",
			fmt.Errorf("more than one kernel: %s", strings.Join(found, ", ")))
	}
}

// modulesTable runs the tree's depmod where the package's scriptlets didn't.
func (c *composition) modulesTable(ctx context.Context, root *os.Root, dir, version string) error {
	if _, err := root.Stat(path.Join(dir, "modules.dep")); err == nil {
		return nil
	}
	if _, err := root.Stat("usr/sbin/depmod"); err != nil {
		return nil // nobody here to read the table, either
	}
	return c.tool(ctx, "depmod", "-a", version)
}

// dracut makes the initramfs for any machine, the same bytes every time.
func (c *composition) dracut(ctx context.Context, root *os.Root, dir, version string) error {
	image := path.Join(dir, "initramfs.img")
	if _, err := root.Stat("usr/bin/dracut"); err != nil {
		return materialize.Fail(materialize.ClassConfig, "compose", "add dracut to the manifest's packages",
			fmt.Errorf("/%s is missing, and there is no dracut to make it: %w", image, fs.ErrNotExist))
	}
	args := append([]string{
		"--force", "--no-hostonly", "--reproducible", "--add", "ostree", "--tmpdir", "/tmp", "--kver", version,
	}, c.tf.InitramfsArgs...)
	if err := c.tool(ctx, "dracut", append(args, "/"+image)...); err != nil {
		return err
	}
	return root.Chmod(image, 0o600)
}

// tool runs a program of the tree.
func (c *composition) tool(ctx context.Context, name string, args ...string) error {
	c.task.Phase(name, 0.7)
	cmd := inChroot(ctx, c.task, c.root, append([]string{name}, args...)...)
	cmd.Env = append(cmd.Env, "PATH="+systemPath, "LC_ALL=C.UTF-8", "SOURCE_DATE_EPOCH="+strconv.FormatInt(c.contentTime().Unix(), 10))
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return materialize.Fail(materialize.ClassConfig, "compose", "the log has what "+name+" printed", fmt.Errorf("%s: %w", name, err))
	}
	return nil
}
