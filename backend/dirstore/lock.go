package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"

	"cosafs/backend"
)

// lifetime is how long cosa's locks hold, and so how long a living cosa lets
// ours hold. cosa took 15 s until 2022-06, and two writers met.
const lifetime = 52 * 7 * 24 * time.Hour

// A LockedError tells who keeps a file locked.
type LockedError struct {
	Target string // the file that is locked
	Holder string // who has locked it, for a person; "" if the lock doesn't say
	File   string // the lock file
}

func (e *LockedError) Error() string {
	holder := e.Holder
	if holder == "" {
		holder = "somebody who left no name"
	}
	return fmt.Sprintf("%s is locked by %s; if that has ended, remove %s", e.Target, holder, e.File)
}

// ErrNotLocked means that somebody broke a lock while it was held.
var ErrNotLocked = errors.New("the lock was broken while it was held")

// lockPath gives the lock file of a file: cosa's name for it, relative to the root.
func lockPath(key backend.Key) string {
	return path.Join(dirName(key.Dir()), "."+key.Base()+".lock")
}

// lock takes the lock of a file by flufl.lock's protocol (library version 2 to
// 5): a claim with a unique name is linked to the lock file's name, which link(2)
// does for one of all claims. See [Builds.Lock].
func (s *Store) lock(ctx context.Context, key backend.Key) (unlock func() error, err error) {
	start, delay := time.Now(), 2*time.Millisecond
	for {
		unlock, err := s.tryLock(key)
		if !errors.Is(err, errAlive) {
			return unlock, err
		}
		if time.Since(start) > s.wait {
			return nil, s.lockedError(key)
		}
		// Not in step with other waiters, ours or cosa's, which wait 1 s on average.
		if err := pause(ctx, delay/2+rand.N(delay)); err != nil {
			return nil, fmt.Errorf("waiting for a lock (%w): %w", s.lockedError(key), err)
		}
		delay = min(2*delay, 200*time.Millisecond)
	}
}

// pause waits, or gives ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// tryLock makes one try: errAlive if somebody else has the lock.
func (s *Store) tryLock(key backend.Key) (func() error, error) {
	lock := lockPath(key)
	// Looking comes before claiming: a claim has to be synced.
	if err := s.breakDead(lock); errors.Is(err, errAlive) {
		return nil, err
	} else if err != nil {
		return nil, s.fail("lock", key, err)
	}
	f, claim, err := s.claim(lock)
	if err != nil {
		return nil, s.fail("lock", key, err)
	}
	err = s.root.Link(claim, lock)
	switch {
	case linkCount(f) == 2:
		// Also if link(2) says otherwise: NFS may lose the answer to a success.
		return sync.OnceValue(func() error { return s.unlock(key, f, claim) }), nil
	case err == nil:
		err = fmt.Errorf("this file system does not count hard links, so cosa's locks can't work: %w", errors.ErrUnsupported)
		err = errors.Join(err, s.root.Remove(lock))
	}
	_ = s.discard(f, claim) // the error above tells more
	if errors.Is(err, fs.ErrExist) {
		return nil, errAlive // somebody was faster
	}
	return nil, s.fail("lock", key, err)
}

// claim writes a claim for a lock: its content is its own path, its time the
// lock's end.
func (s *Store) claim(lock string) (*os.File, string, error) {
	f, claim, err := s.createOwned(path.Dir(lock), path.Base(lock))
	if err != nil {
		return nil, "", err
	}
	_, err = f.WriteString(filepath.Join(s.dir, claim))
	end := time.Now().Add(lifetime)
	err = errors.Join(err, s.root.Chtimes(claim, end, end), f.Sync()) // a lock without its holder's name would stay for ever
	if err != nil {
		return nil, "", errors.Join(err, s.discard(f, claim))
	}
	return f, claim, nil
}

// unlock lets go of a lock, if it is still the one that was taken.
func (s *Store) unlock(key backend.Key, f *os.File, claim string) error {
	lock := lockPath(key)
	if !s.same(f, lock) || linkCount(f) != 2 {
		_ = s.discard(f, claim) // whoever broke the lock may have removed it
		return s.fail("unlock", key, ErrNotLocked)
	}
	if err := errors.Join(s.root.Remove(lock), s.discard(f, claim)); err != nil {
		return s.fail("unlock", key, err)
	}
	return nil
}

// same says whether name is still a name of the open file.
func (s *Store) same(f *os.File, name string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := s.root.Lstat(name)
	return err == nil && os.SameFile(a, b)
}
