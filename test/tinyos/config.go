package tinyos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// manifest is manifest.yaml: a treefile as rpm-ostree reads it.
const manifest = `metadata:
  name: tinyos
  summary: The smallest OS that boots
ref: tinyos/${basearch}/main
releasever: "1"
tmp-is-dir: true
automatic-version-prefix: "1"
mutate-os-release: "1"
repos:
  - tinyos
selinux: false
documentation: false
recommends: false
packages:
  - tinyos-filesystem
  - tinyos-busybox
  - kernel
`

// imageYAML is image.yaml. Both consoles are named, the last is the main one.
const imageYAML = `size: 1
rootfs: xfs
extra-kargs:
  - console=tty0
  - console=ttyS0
`

// repoFile is tinyos.repo, the definition of the repository that Make wrote.
const repoFile = `[tinyos]
name=tinyos
baseurl=file://%s
enabled=1
gpgcheck=0
`

// writeConfig writes the configuration as a git repository with one commit.
func writeConfig(ctx context.Context, cfg Config) error {
	dir := filepath.Join(cfg.Dir, "config")
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("tinyos: %w", err)
	}
	text := manifest
	for _, p := range cfg.Packages {
		text += "  - " + p + "\n"
	}
	files := map[string]string{
		"manifest.yaml": text,
		"image.yaml":    imageYAML,
		"tinyos.repo":   fmt.Sprintf(repoFile, filepath.Join(cfg.Dir, "repo")),
		"overlay.d/05tinyos/usr/share/tinyos/motd": "Welcome to tinyos.\n",
	}
	for name, body := range files {
		if err := writeFile(filepath.Join(dir, name), body); err != nil {
			return err
		}
	}
	if err := git(ctx, dir, "init", "--quiet", "--initial-branch=main"); err != nil {
		return err
	}
	return Commit(ctx, cfg.Dir, "tinyos")
}

func writeFile(name, body string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("tinyos: %w", err)
	}
	if err := os.WriteFile(name, []byte(body), 0o644); err != nil {
		return fmt.Errorf("tinyos: %w", err)
	}
	return nil
}

// Commit commits whatever changed in the configuration below dir, at a fixed time.
func Commit(ctx context.Context, dir, message string) error {
	config := filepath.Join(dir, "config")
	if err := git(ctx, config, "add", "--all"); err != nil {
		return err
	}
	return git(ctx, config, "commit", "--quiet", "--allow-empty", "--no-gpg-sign", "--message="+message)
}

// git runs git as nobody in particular, unmoved by the machine's settings.
func git(ctx context.Context, dir string, args ...string) error {
	date := strconv.FormatInt(epoch().Unix(), 10) + " +0000"
	env := []string{
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_DATE=" + date, "GIT_COMMITTER_DATE=" + date,
		"GIT_AUTHOR_NAME=tinyos", "GIT_AUTHOR_EMAIL=tinyos@example.com",
		"GIT_COMMITTER_NAME=tinyos", "GIT_COMMITTER_EMAIL=tinyos@example.com",
	}
	_, err := run(ctx, dir, env, "git", args...)
	return err
}

// Edit changes a file of the configuration below dir, made if it is missing,
// and commits it.
func Edit(ctx context.Context, dir, name string, change func(text string) string) error {
	file := filepath.Join(dir, "config", name)
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("tinyos: %w", err)
	}
	if err := writeFile(file, change(string(b))); err != nil {
		return err
	}
	return Commit(ctx, dir, "edit "+name)
}

// AddPackages adds packages to the manifest below dir.
func AddPackages(ctx context.Context, dir string, names ...string) error {
	return Edit(ctx, dir, "manifest.yaml", func(text string) string {
		for _, n := range names {
			text = strings.Replace(text, "packages:\n", "packages:\n  - "+n+"\n", 1)
		}
		return text
	})
}

// RemovePackages takes packages out of the manifest below dir.
func RemovePackages(ctx context.Context, dir string, names ...string) error {
	return Edit(ctx, dir, "manifest.yaml", func(text string) string {
		for _, n := range names {
			text = strings.Replace(text, "  - "+n+"\n", "", 1)
		}
		return text
	})
}
