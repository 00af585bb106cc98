package materialize

import (
	"encoding/json"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pollInterval is how often a lock that somebody else holds is tried. flock can
// wait in the kernel, but no ctx ends that wait.
const pollInterval = 100 * time.Millisecond

// errLocked means that another open file holds the lock.
var errLocked = errors.New("locked by somebody else")

// A lockFile is a file with an exclusive flock, which the kernel takes away
// with the process, however that ends.
type lockFile struct{ *os.File }

// tryLock locks path, making it if needed. It gives errLocked when somebody
// holds it. A lock on a file that was removed meanwhile would exclude nobody,
// so the name is looked at again once the lock is there.
func tryLock(path string) (lockFile, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return lockFile{}, err
		}
		err = flock(f, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && sameFile(f, path) {
			return lockFile{f}, nil
		}
		_ = f.Close() // nothing was written
		if err != nil {
			return lockFile{}, err
		}
	}
}

// flock gives errLocked where the kernel says that it would have to wait.
func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return errLocked
		case err != nil:
			return &os.PathError{Op: "flock", Path: f.Name(), Err: err}
		default:
			return nil
		}
	}
}

// sameFile says whether path still names the open file.
func sameFile(f *os.File, path string) bool {
	a, errA := f.Stat()
	b, errB := os.Stat(path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// remove removes the file and lets the lock go, in that order: the other way
// round the file could be somebody else's already.
func (l lockFile) remove() error {
	return errors.Join(os.Remove(l.Name()), l.Close())
}

// A holder is the content of a claim and of a job's owner file. The lock is what
// counts; this tells people, and other processes, whose it is.
type holder struct {
	Boot string `json:"boot"` // /proc/sys/kernel/random/boot_id
	PID  int    `json:"pid"`
	Job  string `json:"job"`
}

// write replaces the locked file's content.
func (l lockFile) write(h holder) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := l.Truncate(0); err != nil {
		return err
	}
	_, err = l.WriteAt(append(data, '\n'), 0)
	return err
}

// readHolder says who wrote the file last; ok is false where nobody has, or is
// just doing it.
func readHolder(path string) (h holder, ok bool) {
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &h) != nil {
		return holder{}, false
	}
	return h, validID(h.Job)
}
