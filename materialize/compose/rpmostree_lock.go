package compose

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
)

// lockPoll is how often a busy cache is looked at again. A compose takes
// seconds at least.
const lockPoll = 200 * time.Millisecond

// lockCache makes the cache and takes its lock, waiting until ctx ends. The
// lock dies with the process, however that ends.
func lockCache(ctx context.Context, cache string, t *materialize.Task) (unlock func(), err error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("make compose cache: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(cache, "cosafs-compose.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock compose cache: %w", err)
	}
	unlock = func() { _ = f.Close() } // nothing was written; closing releases the lock
	if err := flock(ctx, f, t); err != nil {
		unlock()
		return nil, fmt.Errorf("lock compose cache: %w", err)
	}
	return unlock, nil
}

// flock polls: a blocking flock could not be given up when ctx ends.
func flock(ctx context.Context, f *os.File, t *materialize.Task) error {
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for waited := false; ; waited = true {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return err
		}
		if !waited {
			t.Logf("another compose uses %s; waiting for it", filepath.Dir(f.Name()))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// removeLeftovers deletes what killed composes left behind; rpm-ostree never
// does. What can't be deleted, such as a dead FUSE mount, does no harm: a
// compose makes its own directory.
func removeLeftovers(cache string, t *materialize.Task) error {
	old, err := filepath.Glob(filepath.Join(escapeGlob(cache), "rpm-ostree-compose.??????"))
	if err != nil {
		return fmt.Errorf("look for leftovers: %w", err)
	}
	for _, dir := range old {
		if err := os.RemoveAll(dir); err != nil {
			t.Logf("leftover of a killed compose stays: %v", err)
		}
	}
	return nil
}

// escapeGlob makes a path match itself only.
func escapeGlob(path string) string {
	var out []rune
	for _, r := range path {
		switch r {
		case '*', '?', '[', '\\':
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return string(out)
}
