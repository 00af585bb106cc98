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
	hint := fmt.Sprintf("free %s more on the file system of %s, for example with: cosafs prune", quantity(f.w.Space-free), dir)
	return Fail(ClassSpace, f.w.Title, hint,
		fmt.Errorf("needs %s, %s are free on %s: %w", quantity(f.w.Space), quantity(free), dir, syscall.ENOSPC))
}

// quantity gives bytes for people.
func quantity(n int64) string {
	const mib = 1 << 20
	if n < mib {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%d MiB", (n+mib-1)/mib)
}

// freeBytes is what an unprivileged process may still write.
func freeBytes(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}
