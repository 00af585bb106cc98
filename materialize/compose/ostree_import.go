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

	"cosafs/materialize"
)

// tarFailure gives a full disk its class.
func tarFailure(op string, err error) error {
	if noSpace(err.Error()) {
		return materialize.Fail(materialize.ClassSpace, op, "free some space and try again", err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// Import brings a commit in from an ostree artifact, or from the archive-mode
// repository where that is gone. Artifacts that are OCI archives are a Failure of
// ClassTool: unpacking those is rpm-ostree's work.
func (o *OSTree) Import(ctx context.Context, artifact, commit string, t *materialize.Task) error {
	if strings.HasSuffix(artifact, ".ociarchive") {
		return materialize.Fail(materialize.ClassTool, "import commit",
			"import it on a machine with rpm-ostree: ostree container import --repo="+o.cfg.BareRepo+" ostree-unverified-image:oci-archive:"+artifact,
			fmt.Errorf("%s is an OCI archive: %w", filepath.Base(artifact), errors.ErrUnsupported))
	}
	if _, err := os.Stat(artifact); errors.Is(err, fs.ErrNotExist) && o.archived(commit) == nil {
		return o.Pull(ctx, o.cfg.Repo, commit, t)
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
