package disk

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"

	"cosafs/materialize"
)

// ownRepo makes a repository that holds the commit alone, under the ref if there is
// one, in the task's scratch. On one file system its objects are hard links.
func ownRepo(ctx context.Context, t *materialize.Task, repo, checksum, ref string) (string, error) {
	dir := filepath.Join(t.Scratch, "repo")
	ostree := materialize.Tool{Op: writeOp, Name: "ostree"}
	if err := ostree.Run(ctx, t, "--repo="+dir, "init", "--mode=bare-user"); err != nil {
		return "", err
	}
	if err := ostree.Run(ctx, t, "--repo="+dir, "pull-local", "--disable-fsync", repo, checksum); err != nil || ref == "" {
		return dir, err
	}
	return dir, ostree.Run(ctx, t, "--repo="+dir, "refs", "--create="+ref, checksum)
}

// repoDisk makes a file system image of a repository for the virtual machine to pull
// from. That is as fast as sharing a directory with it, and needs neither a daemon nor
// privileges.
func repoDisk(ctx context.Context, t *materialize.Task, repo string) (string, error) {
	image := filepath.Join(t.Scratch, "repo.img")
	size, files, err := usage(repo)
	if err != nil {
		return "", fmt.Errorf("%s: %w", writeOp, err)
	}
	err = materialize.Tool{Op: writeOp, Name: "mke2fs"}.Run(ctx, t, "-t", "ext4", "-q", "-F", "-b", "4096", "-m", "0", "-I", "256",
		"-N", strconv.FormatInt(files+100, 10), "-O", "^has_journal,^resize_inode", "-d", repo,
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
