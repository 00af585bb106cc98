package appliance

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
)

// tailSize is how much of what a program said goes into an error.
const tailSize = 1500

// A tail remembers the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte // guarded by mu
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}

// tailOf gives the end of a file, "" if it can't be read.
func tailOf(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // read only
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, size-tailSize), io.SeekStart) // reading tells
	}
	b, _ := io.ReadAll(f) // what could be read is still of use
	return strings.TrimSpace(strings.ToValidUTF8(string(b), ""))
}

// logOf gives the task's log, or one that drops everything.
func logOf(t *materialize.Task) io.Writer {
	if t.Log == nil {
		return io.Discard
	}
	return t.Log
}

// spaceOr gives ClassSpace if a full disk is why, else the class that it's given.
// Programs only print it.
func spaceOr(class materialize.Class, err error) materialize.Class {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) ||
		strings.Contains(err.Error(), unix.ENOSPC.Error()) {
		return materialize.ClassSpace
	}
	return class
}
