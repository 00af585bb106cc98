package compose

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"cosafs/materialize"
)

// ReadInputs hashes everything that a commit is made from and that can be read
// without a network. Its parts are named by what a person would look at:
//
//   - manifest: the merged treefile, see [Treefile.Hash]
//   - files it names (add-files, postprocess-script, check-passwd, check-groups)
//   - repo FILE: each *.repo file that defines a repository in use
//   - repodata ID: repomd.xml of those of them that are directories here
//   - versionary, if versions come from it
//   - lockfiles, overlay.d/NAME, overrides/rpm, overrides/rootfs
//
// Of trees it hashes names, types, permissions, link targets and contents, not
// times or owners: commits don't have them. A named file that is missing is a
// Failure of ClassConfig.
func ReadInputs(ctx context.Context, cfg Config) (materialize.Inputs, error) {
	cfg = cfg.WithDefaults()
	t, err := LoadTreefile(cfg)
	if err != nil {
		return materialize.Inputs{}, err
	}
	h := &hasher{cfg: cfg, parts: map[string]string{"manifest": t.Hash()}}
	for _, step := range []func(context.Context, *Treefile) error{h.named, h.repos, h.locks, h.trees} {
		if err := step(ctx, t); err != nil {
			return materialize.Inputs{}, err
		}
	}
	return materialize.Inputs{Hash: hashOf(h.parts), Parts: h.parts, Name: t.Name, Ref: t.Ref, Summary: t.Summary}, nil
}

// A hasher collects the parts.
type hasher struct {
	cfg   Config
	parts map[string]string
}

// named hashes the files that the manifest names.
func (h *hasher) named(ctx context.Context, t *Treefile) error {
	files := []string{t.PostprocessScript}
	if h.cfg.Versionary {
		files = append(files, filepath.Join(h.cfg.Dir, "versionary"))
	}
	for _, f := range t.AddFiles {
		files = append(files, f.Source)
	}
	for _, c := range []*Check{t.CheckPasswd, t.CheckGroups} {
		if c != nil {
			files = append(files, c.Filename)
		}
	}
	for _, file := range files {
		if file == "" {
			continue
		}
		if err := h.tree(ctx, h.relative(file), file); err != nil {
			return materialize.Fail(materialize.ClassConfig, "read inputs", "create "+file+" or take it out of the manifest", err)
		}
	}
	return nil
}

// relative names a file as a person would: from the configuration's directory.
func (h *hasher) relative(file string) string {
	if rel, err := filepath.Rel(h.cfg.Dir, file); err == nil {
		return rel
	}
	return file
}

// repos hashes the definitions of the repositories in use and, of those that
// are directories on this machine, their index.
func (h *hasher) repos(ctx context.Context, t *Treefile) error {
	files, err := repoFiles(filepath.Dir(h.cfg.Manifest), h.cfg.Repos)
	if err != nil {
		return fmt.Errorf("read inputs: %w", err)
	}
	for _, file := range files {
		for _, r := range file.repos {
			if !t.wanted(r.id) {
				continue
			}
			if err := h.tree(ctx, "repo "+filepath.Base(file.path), file.path); err != nil {
				return err
			}
			dir, ok := t.localRepo(r)
			if !ok {
				continue
			}
			// A repository without an index is the engine's to complain about.
			if err := h.tree(ctx, "repodata "+r.id, filepath.Join(dir, "repodata", "repomd.xml")); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// locks hashes the lockfiles.
func (h *hasher) locks(ctx context.Context, _ *Treefile) error {
	files, err := lockfiles(h.cfg)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := h.tree(ctx, h.relative(file), file); err != nil {
			return err
		}
	}
	return nil
}

// trees hashes overlays and overrides.
func (h *hasher) trees(ctx context.Context, _ *Treefile) error {
	overlays, err := overlayDirs(h.cfg)
	if err != nil {
		return err
	}
	for _, dir := range overlays {
		if err := h.tree(ctx, h.relative(dir), dir); err != nil {
			return err
		}
	}
	rpms, err := overrideRPMs(h.cfg)
	if err != nil {
		return err
	}
	for _, file := range rpms {
		if err := h.tree(ctx, "overrides/rpm/"+filepath.Base(file), file); err != nil {
			return err
		}
	}
	root, err := overrideRoot(h.cfg)
	if err != nil || root == "" {
		return err
	}
	return h.tree(ctx, "overrides/rootfs", root)
}

// tree hashes a file or everything below a directory into a part.
func (h *hasher) tree(ctx context.Context, part, path string) error {
	sum, err := hashTree(ctx, path)
	if err != nil {
		return fmt.Errorf("hash %s: %w", part, err)
	}
	h.parts[part] = sum
	return nil
}

// hashTree hashes a file, or the names, types, permissions, link targets and
// contents below a directory. The root may be a symlink.
func hashTree(ctx context.Context, root string) (string, error) {
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(sum, "%q %v %d\n", rel, info.Mode(), contentSize(info)); err != nil {
			return err
		}
		return hashContents(sum, path, info)
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// contentSize delimits a file's bytes in the hash.
func contentSize(info fs.FileInfo) int64 {
	if info.Mode().IsRegular() {
		return info.Size()
	}
	return 0
}

// hashContents adds a file's bytes or a link's target.
func hashContents(sum io.Writer, path string, info fs.FileInfo) error {
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(sum, "%q\n", target)
		return err
	case info.Mode().IsRegular():
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(sum, f)
		return errors.Join(err, f.Close())
	default:
		return nil
	}
}

// lockfiles gives the configuration's lockfiles in the order in which
// rpm-ostree has to read them: base, overrides, the architecture's overrides.
// A JSON and a YAML file of one name is a mistake, as in cosa.
func lockfiles(cfg Config) ([]string, error) {
	var out []string
	for _, name := range []string{"manifest-lock." + cfg.Arch, "manifest-lock.overrides", "manifest-lock.overrides." + cfg.Arch} {
		var found []string
		for _, ext := range []string{".json", ".yaml"} {
			file := filepath.Join(cfg.Dir, name+ext)
			if _, err := os.Stat(file); err == nil {
				found = append(found, file)
			} else if !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("look for lockfiles: %w", err)
			}
		}
		if len(found) > 1 {
			return nil, materialize.Fail(materialize.ClassConfig, "read lockfiles", "delete one of them",
				fmt.Errorf("both %s and %s exist", filepath.Base(found[0]), filepath.Base(found[1])))
		}
		out = append(out, found...)
	}
	return slices.Clip(out), nil
}
