package disk

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"cosafs/materialize"
)

// repoDisk makes a file system image that holds the commit alone in a
// repository, under the ref if there is one, for the virtual machine to pull from. That is as fast as sharing
// a directory with it, and needs neither a daemon nor privileges.
func repoDisk(ctx context.Context, t *materialize.Task, repo, checksum, ref string) (string, error) {
	dir, image := filepath.Join(t.Scratch, "repo"), filepath.Join(t.Scratch, "repo.img")
	if err := run(ctx, t, writeOp, "ostree", "--repo="+dir, "init", "--mode=bare-user"); err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the job's scratch goes anyway
	// On one file system, this makes hard links.
	if err := run(ctx, t, writeOp, "ostree", "--repo="+dir, "pull-local", "--disable-fsync", repo, checksum); err != nil {
		return "", err
	}
	if ref != "" {
		if err := run(ctx, t, writeOp, "ostree", "--repo="+dir, "refs", "--create="+ref, checksum); err != nil {
			return "", err
		}
	}
	size, files, err := usage(dir)
	if err != nil {
		return "", fmt.Errorf("%s: %w", writeOp, err)
	}
	err = run(ctx, t, writeOp, "mke2fs", "-t", "ext4", "-q", "-F", "-b", "4096", "-m", "0", "-I", "256",
		"-N", strconv.FormatInt(files+100, 10), "-O", "^has_journal,^resize_inode", "-d", dir,
		image, strconv.FormatInt(size/kib, 10)+"k")
	return image, err
}

// usage gives the size in bytes of an ext4 that can hold the files below dir,
// and their number. Each file may need a block more for its attributes. Being
// generous is free: what isn't used is a hole.
func usage(dir string) (size, files int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		files++
		size += (info.Size()+4*kib-1)/(4*kib)*4*kib + 4*kib + 512
		return nil
	})
	return size + size/10 + 32*mib, files, err
}
