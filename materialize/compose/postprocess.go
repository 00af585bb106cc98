package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"cosafs/materialize"
)

// shape makes of what dnf installed the tree that is committed: overlays, what
// the treefile asks for, its scripts, and then the form of an OSTree deployment.
// Everything goes through an os.Root, so that no link of a package leads out.
func (c *composition) shape(ctx context.Context) error {
	c.task.Phase("postprocess", 0.6)
	root, err := os.OpenRoot(c.root)
	if err != nil {
		return fmt.Errorf("compose: %w", err)
	}
	defer func() { _ = root.Close() }() // nothing is written through the handle itself
	steps := []func(context.Context, *os.Root) error{
		foldTopLevel,
		func(_ context.Context, r *os.Root) error { return c.overlay(r) },
		c.removeFromPackages, c.removeFiles, c.addFiles, c.systemdLinks, c.osRelease,
		c.scripts, c.bootFiles, c.finish,
	}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := step(ctx, root); err != nil {
			return shapeFailure(err)
		}
	}
	return nil
}

// shapeFailure gives an error of a step its class.
func shapeFailure(err error) error {
	if _, ok := errors.AsType[*materialize.Failure](err); ok {
		return err
	}
	if noSpace(err.Error()) {
		return materialize.Fail(materialize.ClassSpace, "compose", "free some space and try again", err)
	}
	return fmt.Errorf("compose: shape the tree: %w", err)
}

// wrong is a mistake in a key of the manifest.
func (c *composition) wrong(key string, err error) error {
	file, line := c.tf.Where(key)
	return materialize.Fail(materialize.ClassConfig, "compose", fmt.Sprintf("mend %s in %s (line %d)", key, file, line),
		fmt.Errorf("%s: %w", key, err))
}

// removeFromPackages deletes files of packages whose paths match. The regular
// expressions may match anywhere in the path, as in rpm-ostree.
func (c *composition) removeFromPackages(ctx context.Context, root *os.Root) error {
	for _, item := range c.tf.RemoveFromPackages {
		if len(item) < 2 {
			return c.wrong("remove-from-packages", fmt.Errorf("%q names no files: %w", item, fs.ErrInvalid))
		}
		re, err := regexp.Compile("(?:" + strings.Join(item[1:], ")|(?:") + ")")
		if err != nil {
			return c.wrong("remove-from-packages", err)
		}
		files, err := c.filesOf(ctx, item[0])
		if err != nil {
			return c.wrong("remove-from-packages", err)
		}
		for _, name := range files {
			if !re.MatchString(name) {
				continue
			}
			// Directories go when they are empty; other packages may be in them.
			if err := root.Remove(strings.TrimPrefix(name, "/")); err != nil && !isNotEmpty(err) && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// filesOf lists a package's files, what is in a directory before the directory.
func (c *composition) filesOf(ctx context.Context, name string) ([]string, error) {
	cmd := materialize.CommandContext(ctx, c.task, "rpm", "--dbpath", filepath.Join(c.root, rpmdbPath), "-q", "--list", name)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("package %s: %s: %w", name, lastLine(out.String()), err)
	}
	files := strings.Fields(out.String())
	for i, j := 0, len(files)-1; i < j; i, j = i+1, j-1 {
		files[i], files[j] = files[j], files[i]
	}
	return files, nil
}

// removeFiles deletes what remove-files names; what is not there is fine.
func (c *composition) removeFiles(_ context.Context, root *os.Root) error {
	for _, name := range c.tf.RemoveFiles {
		if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" {
			return c.wrong("remove-files", fmt.Errorf("it names the whole tree: %w", fs.ErrInvalid))
		}
		if err := root.RemoveAll(name); err != nil {
			return c.wrong("remove-files", err)
		}
	}
	return nil
}

// addFiles copies files of the configuration.
func (c *composition) addFiles(_ context.Context, root *os.Root) error {
	for _, f := range c.tf.AddFiles {
		data, err := os.ReadFile(f.Source)
		if err != nil {
			return c.wrong("add-files", err)
		}
		mode, err := layerMode(f.Source, modeOverride{})
		if err != nil {
			return c.wrong("add-files", err)
		}
		if err := writeTreeFile(root, strings.TrimPrefix(path.Clean("/"+f.Target), "/"), data, mode); err != nil {
			return c.wrong("add-files", err)
		}
	}
	return nil
}

// systemdLinks enables units and sets the default target, as rpm-ostree does
// by links of its own.
func (c *composition) systemdLinks(_ context.Context, root *os.Root) error {
	links := map[string]string{}
	if t := c.tf.DefaultTarget; t != "" {
		links["etc/systemd/system/default.target"] = t
	}
	for _, u := range c.tf.Units {
		links["etc/systemd/system/multi-user.target.wants/"+u] = u
	}
	for name, unit := range links {
		target := "/usr/lib/systemd/system/" + unit
		if _, err := root.Lstat(strings.TrimPrefix(target, "/")); err != nil {
			return materialize.Fail(materialize.ClassConfig, "compose", "add the package that has the unit, or correct units and default-target",
				fmt.Errorf("systemd unit %s: %w", unit, err))
		}
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := root.Symlink(target, name); err != nil {
			return err
		}
	}
	return nil
}

// osRelease writes the version into os-release where mutate-os-release names
// the text to replace.
func (c *composition) osRelease(_ context.Context, root *os.Root) error {
	if c.tf.MutateOSRelease == "" || c.version == "" {
		return nil
	}
	const name = "usr/lib/os-release"
	data, err := root.ReadFile(name)
	if err != nil {
		return c.wrong("mutate-os-release", err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "VERSION=") || strings.HasPrefix(line, "PRETTY_NAME=") {
			line = strings.ReplaceAll(line, c.tf.MutateOSRelease, c.version)
		}
		out.WriteString(strings.TrimRight(line, "\n") + "\n")
	}
	fmt.Fprintf(&out, "OSTREE_VERSION='%s'\n", c.version)
	return root.WriteFile(name, []byte(out.String()), 0o644)
}

// scripts runs the treefile's scripts in the tree, without a network.
func (c *composition) scripts(ctx context.Context, root *os.Root) error {
	for i, text := range c.tf.Postprocess {
		if err := c.script(ctx, root, "postprocess", fmt.Sprintf("number %d", i+1), []byte(text)); err != nil {
			return err
		}
	}
	if c.tf.PostprocessScript == "" {
		return nil
	}
	data, err := os.ReadFile(c.tf.PostprocessScript)
	if err != nil {
		return c.wrong("postprocess-script", err)
	}
	return c.script(ctx, root, "postprocess-script", filepath.Base(c.tf.PostprocessScript), data)
}

func (c *composition) script(ctx context.Context, root *os.Root, key, what string, text []byte) error {
	const name = "usr/cosafs-postprocess"
	if err := writeTreeFile(root, name, text, 0o755); err != nil {
		return err
	}
	cmd := inChroot(ctx, c.task, c.root, "/"+name)
	cmd.Env = append(cmd.Env, "PATH="+systemPath, "LC_ALL=C.UTF-8", "SOURCE_DATE_EPOCH="+strconv.FormatInt(c.contentTime().Unix(), 10))
	var said scanner
	cmd.Stdout, cmd.Stderr = teeLog(c.task, &said), nil
	cmd.Stderr = cmd.Stdout // one writer for both: os/exec then uses one pipe
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return c.wrong(key, fmt.Errorf("script %s: %w: %s", what, err, said.last))
	}
	return root.Remove(name)
}
