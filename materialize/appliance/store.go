package appliance

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lock takes the file lock that all processes share and gives the way to let it
// go. The kernel lets go of it when its holder dies.
func lock(ctx context.Context, path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // nothing was written
		}
		if errors.Is(err, unix.EWOULDBLOCK) {
			select {
			case <-again.C:
				continue
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
		_ = f.Close() // nothing was written
		return nil, err
	}
}

// keyLen is the length of an appliance's key in hex digits.
const keyLen = 32

// building begins the name of a directory in which an appliance is built.
const building = "building-"

// isName says whether a name is one of an appliance: its key. Everything else
// in the directory is somebody else's.
func isName(name string) bool {
	_, err := hex.DecodeString(name)
	return err == nil && len(name) == keyLen
}

// prune deletes all but the n newest appliances, and what builds that were
// killed left behind. It needs the lock. A qemu that has an appliance open
// keeps its bytes.
func prune(dir string, n int) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	type used struct {
		path string
		at   time.Time
	}
	var all []used
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), building) {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
			continue
		}
		if isName(e.Name()) {
			all = append(all, used{path, info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b used) int { return b.at.Compare(a.at) })
	for _, a := range all[min(n, len(all)):] {
		if err := os.RemoveAll(a.path); err != nil {
			return err
		}
	}
	return nil
}
