package materialize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// keepBases is how many base disks stay in the cache after a new one came.
const keepBases = 4

// The files of a base disk's directory.
const (
	baseRecord = "base.json"
	baseFile   = "disk.raw"
)

// baseDisk gives the base disk for the request, writing it if the cache has
// none. The caller holds it until release, so that it isn't cleared away.
func (m *Maker) baseDisk(ctx context.Context, req DiskRequest, t Target, task *Task) (BaseDisk, func(), error) {
	w := m.baseWork(req, t)
	for {
		base, release, err := m.holdBase(w.Key)
		if !isAbsent(err) {
			return base, release, err
		}
		if _, err := m.Runner.Do(followAs(ctx, w.Title, task), w, m.Linger); err != nil {
			return BaseDisk{}, nil, err
		}
	}
}

// baseKey hashes what decides the disk's bytes.
func (m *Maker) baseKey(req DiskRequest) string {
	return hashKey("base", req.Commit, req.Ref, req.OS, req.Build, req.Arch, string(req.ImageJSON), string(req.PlatformsJSON),
		fmt.Sprint(req.Sector), m.Disks.Tool())
}

func (m *Maker) baseDir(key string) string { return filepath.Join(m.StateDir, "base", key) }

func (m *Maker) baseWork(req DiskRequest, t Target) Work {
	key := m.baseKey(req)
	return Work{
		Key: key, Target: t, Title: "base disk", VM: true, Space: 2 * diskSpace,
		Done: func(context.Context) (Result, bool, error) {
			base, release, err := m.holdBase(key)
			if err != nil {
				return Result{}, false, ifPresent(err)
			}
			release()
			return Result{Build: req.Build, Path: base.Path, Size: base.Size}, true, nil
		},
		Run: func(ctx context.Context, task *Task) (Result, error) { return m.runBase(ctx, key, req, task) },
	}
}

// ifPresent gives err unless it proves that something is not there.
func ifPresent(err error) error {
	if isAbsent(err) {
		return nil
	}
	return err
}

func (m *Maker) runBase(ctx context.Context, key string, req DiskRequest, task *Task) (Result, error) {
	dir := filepath.Join(task.Scratch, "base")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Result{}, err
	}
	req.Out = filepath.Join(dir, baseFile)
	base, err := m.Disks.Write(ctx, req, task)
	if err != nil {
		return Result{}, err
	}
	if err := errors.Join(keepConfig(dir, req), keepBase(dir, m.baseDir(key), base)); err != nil {
		return Result{}, fmt.Errorf("keep base disk: %w", err)
	}
	m.clearBases(key)
	return Result{Build: req.Build, Path: filepath.Join(m.baseDir(key), baseFile), Size: base.Size}, nil
}

// keepBase moves a finished disk into the cache. The record is written first: a
// directory with a record is complete. The disk is synced, because images are
// made of it, recorded and kept for ever; half of one that a power failure left
// would have the right size.
func keepBase(from, to string, base BaseDisk) error {
	if err := syncFile(filepath.Join(from, baseFile)); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(from, baseRecord), base); err != nil {
		return err
	}
	return moveDir(from, to)
}

// moveDir moves a directory to a place in the cache, where a damaged one may be.
func moveDir(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// readBase reads a cached disk's record. One that is damaged, or not that of the
// file beside it, is as good as none: fs.ErrNotExist.
func readBase(dir string) (BaseDisk, error) {
	var base BaseDisk
	b, err := os.ReadFile(filepath.Join(dir, baseRecord))
	if err != nil {
		return base, err
	}
	if err := json.Unmarshal(b, &base); err != nil {
		return base, fmt.Errorf("record of a base disk: %w: %w", err, fs.ErrNotExist)
	}
	base.Path = filepath.Join(dir, baseFile) // the working directory may have been moved
	st, err := os.Stat(base.Path)
	if err == nil && st.Size() != base.Size {
		err = fmt.Errorf("%s has another size than was recorded: %w", base.Path, fs.ErrNotExist)
	}
	return base, err
}

// holdBase takes a shared lock on a cached base disk. One that isn't there, or
// is being cleared away, is fs.ErrNotExist.
func (m *Maker) holdBase(key string) (BaseDisk, func(), error) {
	dir := m.baseDir(key)
	f, err := os.Open(filepath.Join(dir, baseRecord))
	if err != nil {
		return BaseDisk{}, nil, err
	}
	release := func() { _ = f.Close() } // closing drops the lock; nothing was written
	err = flock(f, unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, errLocked) {
		err = fmt.Errorf("base disk is being deleted: %w", fs.ErrNotExist)
	}
	var base BaseDisk
	if err == nil {
		base, err = readBase(dir) // after the lock: it may have been cleared before
	}
	if err != nil {
		release()
		return BaseDisk{}, nil, err
	}
	return base, release, nil
}

// clearBases deletes the oldest base disks beyond keepBases, but none that
// somebody holds and not the one just made. What can't be deleted now is tried
// again next time.
func (m *Maker) clearBases(just string) {
	dirs, err := filepath.Glob(filepath.Join(m.StateDir, "base", "*", baseRecord))
	if err != nil || len(dirs) <= keepBases {
		return
	}
	slices.SortFunc(dirs, func(a, b string) int { return -modTime(a).Compare(modTime(b)) })
	for _, record := range dirs[keepBases:] {
		if filepath.Base(filepath.Dir(record)) != just {
			clearBase(record)
		}
	}
}

func clearBase(record string) {
	f, err := os.Open(record)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }() // read only
	if flock(f, unix.LOCK_EX|unix.LOCK_NB) == nil {
		_ = os.Remove(record)                  // first: without it the disk counts as absent
		_ = os.RemoveAll(filepath.Dir(record)) // the next clearing tries again
	}
}
