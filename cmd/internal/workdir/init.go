package workdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"cosafs/index"
	"cosafs/materialize"
)

// An InitConfig says how to make a working directory.
type InitConfig struct {
	Dir     string // made if it isn't there
	Source  string // git URL, or a directory that is linked
	Branch  string // git branch; "" = the remote's default
	Variant string // config variant (cosa init --variant); "" = none
	Force   bool   // even when the directory isn't empty
}

// Init makes a working directory as cosa init does.
func Init(ctx context.Context, c InitConfig) error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	if err := errors.Join(checkVariant(c.Variant), refuseFull(dir, c.Force)); err != nil {
		return err
	}
	if err := makeDirs(dir, "src"); err != nil {
		return err
	}
	if err := bringConfig(ctx, c, filepath.Join(dir, "src", "config")); err != nil {
		// Without these the next try, with a better URL, needs no --force.
		_ = os.Remove(filepath.Join(dir, "src")) // removes only what is empty
		_ = os.Remove(dir)
		return err
	}
	if err := makeDirs(dir, "cache", "tmp", "builds", "overrides/rpm", "overrides/rootfs"); err != nil {
		return err
	}
	if err := writeVariant(dir, c.Variant); err != nil {
		return err
	}
	return writeNew(filepath.Join(dir, "builds", "builds.json"), index.NewBuilds().Bytes())
}

func makeDirs(dir string, names ...string) error {
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return materialize.Fail(materialize.ClassConfig, "init "+dir, "choose a directory that you can write to", err)
		}
	}
	return nil
}

// refuseFull refuses a directory that holds anything but dot files.
func refuseFull(dir string, force bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || force {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			return materialize.Fail(materialize.ClassConfig, "init "+dir,
				"choose an empty directory, or give --force", fmt.Errorf("it holds %s: %w", e.Name(), fs.ErrExist))
		}
	}
	return nil
}

// bringConfig links a directory and clones anything else.
func bringConfig(ctx context.Context, c InitConfig, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return nil // --force keeps the configuration that is there
	}
	if isDir(c.Source) {
		source, err := filepath.Abs(c.Source)
		if err != nil {
			return err
		}
		if err := hasManifest(source); err != nil {
			return err
		}
		return os.Symlink(source, to)
	}
	args := []string{"clone", "--quiet", "--depth=1", "--recurse-submodules"}
	if c.Branch != "" {
		args = append(args, "--branch", c.Branch)
	}
	cmd := exec.CommandContext(ctx, "git", append(args, "--", c.Source, to)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return materialize.Fail(materialize.ClassConfig, "clone "+c.Source,
			"give a git URL or a directory that holds manifest.yaml", fmt.Errorf("%w: %s", err, complaint(out)))
	}
	return nil
}

// hasManifest refuses a directory that is no configuration, before the first
// build does.
func hasManifest(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries { // a variant's will do
		if strings.HasPrefix(e.Name(), "manifest") {
			return nil
		}
	}
	return materialize.Fail(materialize.ClassConfig, "link "+dir, "give a git URL or a directory that holds manifest.yaml",
		materialize.Says(fs.ErrNotExist, "it holds no manifest.yaml"))
}

// complaint finds what git says is wrong: its last fatal line, else the last
// one. Advice often follows it.
func complaint(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, line := range slices.Backward(lines) {
		if text, ok := strings.CutPrefix(line, "fatal: "); ok && text != "Could not read from remote repository." {
			return text
		}
	}
	return lines[len(lines)-1]
}

// writeNew writes a file that must not be replaced.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
