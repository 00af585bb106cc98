package materialize

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// keepBases is how many base disks stay in the cache after a new one came.
const keepBases = 4

const baseRecord = "base.json"

// baseDisk gives the base disk for the request, writing it if the cache has
// none. The caller holds it until release, so that it isn't cleared away.
func (m *Maker) baseDisk(ctx context.Context, req DiskRequest, t Target, task *Task) (BaseDisk, func(), error) {
	key := m.baseKey(req)
	for {
		if base, release, ok := m.holdBase(key); ok {
			return base, release, nil
		}
		w := m.baseWork(key, req, t)
		stop := m.forward(ctx, key, task)
		_, err := m.Runner.Do(ctx, w, m.Linger)
		stop()
		if err != nil {
			return BaseDisk{}, nil, err
		}
	}
}

// baseKey hashes what decides the disk's bytes.
func (m *Maker) baseKey(req DiskRequest) string {
	return hashKey("base", req.Commit, req.Ref, req.OS, req.Build, req.Arch, string(req.ImageJSON), fmt.Sprint(req.Sector), m.Disks.Tool())
}

func (m *Maker) baseDir(key string) string { return filepath.Join(m.StateDir, "base", key) }

func (m *Maker) baseWork(key string, req DiskRequest, t Target) Work {
	return Work{
		Key: key, Target: t, Title: "base disk", VM: true, Space: 2 * diskSpace,
		Done: func(context.Context) (Result, bool, error) {
			base, err := readBase(m.baseDir(key))
			return Result{Build: req.Build, Path: base.Path, Size: base.Size}, err == nil, nil
		},
		Run: func(ctx context.Context, task *Task) (Result, error) { return m.runBase(ctx, key, req, task) },
	}
}

func (m *Maker) runBase(ctx context.Context, key string, req DiskRequest, task *Task) (Result, error) {
	dir := filepath.Join(task.Scratch, "base")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Result{}, err
	}
	req.Out = filepath.Join(dir, "disk.raw")
	base, err := m.Disks.Write(ctx, req, task)
	if err != nil {
		return Result{}, err
	}
	base.Path = filepath.Join(m.baseDir(key), "disk.raw")
	if err := keepBase(dir, m.baseDir(key), base); err != nil {
		return Result{}, fmt.Errorf("keep base disk: %w", err)
	}
	m.clearBases(key)
	return Result{Build: req.Build, Path: base.Path, Size: base.Size}, nil
}

// keepBase moves a finished disk into the cache. The record is written first:
// a directory with a record is complete.
func keepBase(from, to string, base BaseDisk) error {
	b, err := json.Marshal(base)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(from, baseRecord), b, 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func readBase(dir string) (BaseDisk, error) {
	var base BaseDisk
	b, err := os.ReadFile(filepath.Join(dir, baseRecord))
	if err != nil {
		return base, err
	}
	if err := json.Unmarshal(b, &base); err != nil {
		return base, err
	}
	st, err := os.Stat(base.Path)
	if err != nil {
		return base, err
	}
	if st.Size() != base.Size {
		return base, fmt.Errorf("%s: %w", base.Path, ErrCorrupt)
	}
	return base, nil
}

// holdBase takes a shared lock on a cached base disk.
func (m *Maker) holdBase(key string) (BaseDisk, func(), bool) {
	dir := m.baseDir(key)
	f, err := os.Open(filepath.Join(dir, baseRecord))
	if err != nil {
		return BaseDisk{}, nil, false
	}
	release := func() { _ = f.Close() } // closing drops the lock; nothing was written
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil {
		release()
		return BaseDisk{}, nil, false
	}
	base, err := readBase(dir) // after the lock: it may have been cleared before
	if err != nil {
		release()
		return BaseDisk{}, nil, false
	}
	return base, release, true
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
		if !strings.Contains(record, just) {
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
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		_ = os.Remove(record)                  // first: without it the disk counts as absent
		_ = os.RemoveAll(filepath.Dir(record)) // the next clearing tries again
	}
}
