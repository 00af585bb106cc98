package compose

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cosafs/materialize"
)

// Export writes *-ostree.<arch>.tar: an archive-mode repository that holds
// nothing but the commit, under each of the refs. Members come in the order of
// their names, owned by root, without times, so that the same commit gives the
// same bytes. out must not exist.
func (o *OSTree) Export(ctx context.Context, commit string, refs []string, out string, t *materialize.Task) error {
	if err := o.ensure(ctx, o.cfg.Repo, "archive"); err != nil {
		return err
	}
	t.Phase("compress commit", 0)
	if err := o.pull(ctx, t, o.cfg.BareRepo, o.cfg.Repo, commit); err != nil {
		return err
	}
	repo := filepath.Join(t.Scratch, "export-repo")
	defer func() { _ = os.RemoveAll(repo) }() // scratch is deleted anyway
	if err := o.ensure(ctx, repo, "archive"); err != nil {
		return err
	}
	// Hard links; nobody needs this repository after a power failure.
	if err := o.pull(ctx, t, o.cfg.Repo, repo, commit, "--disable-fsync"); err != nil {
		return err
	}
	for _, ref := range refs {
		for _, r := range []string{repo, o.cfg.Repo} { // cosa goes on from its own repository
			if _, err := o.run(ctx, "refs", "--repo="+r, "--force", "--create="+ref, commit); err != nil {
				return err
			}
		}
	}
	t.Phase("write ostree artifact", 0.7)
	return writeRepoTar(ctx, repo, out)
}

// writeRepoTar packs a repository; locks and half-finished downloads stay out.
func writeRepoTar(ctx context.Context, repo, out string) (err error) {
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("export commit: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(out) // half a file must not pass for one
		}
	}()
	w := tar.NewWriter(f)
	err = filepath.WalkDir(repo, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		rel, err := filepath.Rel(repo, name)
		if err != nil {
			return err
		}
		if rel == ".lock" || (!d.IsDir() && strings.HasPrefix(rel, "tmp/")) {
			return nil
		}
		if d.IsDir() && strings.HasPrefix(rel, "tmp/") {
			return fs.SkipDir
		}
		return addToTar(w, name, "./"+rel, d)
	})
	if err := errors.Join(err, w.Close()); err != nil {
		return tarFailure("export commit", err)
	}
	return nil
}

// tarFailure gives a full disk its class.
func tarFailure(op string, err error) error {
	if noSpace(err.Error()) {
		return materialize.Fail(materialize.ClassSpace, op, "free some space and try again", err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

func addToTar(w *tar.Writer, name, member string, d fs.DirEntry) error {
	h := &tar.Header{Name: member, Typeflag: tar.TypeReg, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	if d.IsDir() {
		h.Typeflag, h.Mode, h.Name = tar.TypeDir, 0o755, strings.TrimSuffix(member, "/.")+"/"
		return w.WriteHeader(h)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // was only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h.Size = info.Size()
	if h.Size >= 8<<30 { // what an octal field of ustar can't hold
		h.Format = tar.FormatPAX
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

// Import brings a commit in from an ostree artifact. Artifacts that are OCI
// archives are a Failure of ClassTool: unpacking those is rpm-ostree's work.
func (o *OSTree) Import(ctx context.Context, artifact, commit string, t *materialize.Task) error {
	if strings.HasSuffix(artifact, ".ociarchive") {
		return materialize.Fail(materialize.ClassTool, "import commit",
			"import it on a machine with rpm-ostree: ostree container import --repo="+o.cfg.BareRepo+" ostree-unverified-image:oci-archive:"+artifact,
			fmt.Errorf("%s is an OCI archive: %w", filepath.Base(artifact), errors.ErrUnsupported))
	}
	t.Phase("unpack ostree artifact", 0)
	repo := filepath.Join(t.Scratch, "import-repo")
	defer func() { _ = os.RemoveAll(repo) }() // scratch is deleted anyway
	if err := unpackRepoTar(ctx, artifact, repo); err != nil {
		return tarFailure("import commit", err)
	}
	t.Phase("import commit", 0.4)
	return o.Pull(ctx, repo, commit, t)
}

// unpackRepoTar unpacks the directories and regular files of a tar; a
// repository in archive mode has nothing else.
func unpackRepoTar(ctx context.Context, artifact, dir string) error {
	f, err := os.Open(artifact)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // was only read
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // no member can get out of it
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // nothing is written through it
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w: %w", filepath.Base(artifact), materialize.ErrCorrupt, err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := unpackMember(root, h, r); err != nil {
			return fmt.Errorf("%s: %s: %w", filepath.Base(artifact), h.Name, err)
		}
	}
}

func unpackMember(root *os.Root, h *tar.Header, r io.Reader) error {
	name := filepath.Clean(h.Name)
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeReg:
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		return errors.Join(err, f.Close())
	default:
		return fmt.Errorf("type %q in an OSTree repository: %w", h.Typeflag, fs.ErrInvalid)
	}
}
