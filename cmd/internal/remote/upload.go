package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"cosafs/materialize"
)

// uploadBytes bounds one uploaded file.
const uploadBytes = 1 << 30

// checkUploadDir refuses a directory for uploads that isn't one, or that shares
// files with the build directory: what clients write there would be taken for
// builds or for cosafs's own state, and what is in there could be deleted.
func checkUploadDir(ctx context.Context, cfg Config) error {
	if cfg.UploadDir == "" {
		return nil
	}
	status, err := cfg.Service.Status(ctx)
	if err == nil {
		err = uploadable(cfg.UploadDir, status.Workdir)
	}
	if err != nil {
		return cantUpload(err)
	}
	return nil
}

func cantUpload(err error) error {
	return materialize.Fail(materialize.ClassConfig, "take uploads",
		"give --upload-dir the absolute path of a directory that holds nothing else", err)
}

// uploadable judges a directory for uploads; workdir is "" where there is none.
func uploadable(dir, workdir string) error {
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("%q is not absolute: %w", dir, fs.ErrInvalid)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no directory: %w", dir, fs.ErrInvalid)
	}
	if workdir == "" {
		return nil
	}
	if err := outside(workdir, dir); err != nil {
		return err
	}
	for _, name := range []string{"builds", "cache", "tmp"} {
		theirs := filepath.Join(workdir, name)
		if err := outside(dir, theirs); err != nil {
			return err // of the same directory, the other way round says it again
		}
		if err := outside(theirs, dir); err != nil {
			return err
		}
	}
	return nil
}

// outside refuses a directory that is another one, or lies in it, whatever links
// lead there. What does not exist is outside.
func outside(dir, of string) error {
	other, err := os.Stat(of)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	at, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for ; err == nil; at = filepath.Dir(at) {
		var info fs.FileInfo
		if info, err = os.Stat(at); err == nil && os.SameFile(info, other) {
			return fmt.Errorf("%s lies in %s: %w", dir, of, fs.ErrInvalid)
		}
		if at == filepath.Dir(at) {
			return err
		}
	}
	return err
}
