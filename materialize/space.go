package materialize

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// checkSpace refuses work that would fill the disk half way.
func (f *flight) checkSpace() error {
	if f.w.Space <= 0 {
		return nil
	}
	dir := f.r.cfg.ScratchDir
	free, err := f.r.cfg.Free(dir)
	if err != nil {
		return fmt.Errorf("ask for the free space of %s: %w", dir, err)
	}
	if free >= f.w.Space {
		return nil
	}
	hint := fmt.Sprintf("free %d more bytes on the file system of %s, for example with: cosafs prune", f.w.Space-free, dir)
	return Fail(ClassSpace, f.w.Title, hint,
		fmt.Errorf("needs %d bytes, %d are free on %s: %w", f.w.Space, free, dir, syscall.ENOSPC))
}

// freeBytes is what an unprivileged process may still write.
func freeBytes(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}
