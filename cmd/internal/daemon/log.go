package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// maxLog is where the log is rotated, in bytes. One older log is kept.
const maxLog = 1 << 20

// LogPath is the log of workdir's daemon.
func LogPath(workdir string) string { return filepath.Join(StateDir(workdir), "daemon.log") }

// A Log writes to a file that is rotated when it is large: its content moves
// to <name>.1 and the file is emptied. Emptied and not replaced, because the
// process's standard error writes to it as well, and a panic should be found
// in the newer file. It is safe for concurrent use.
type Log struct {
	mu  sync.Mutex // guards the order of writes and rotation
	f   *os.File
	max int64
}

// OpenLog opens the log at path for appending.
func OpenLog(path string) (*Log, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make log directory: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &Log{f: f, max: maxLog}, nil
}

// Write appends p, rotating first when the log is full.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if info, err := l.f.Stat(); err == nil && info.Size()+int64(len(p)) > l.max {
		if err := l.rotate(); err != nil {
			return 0, err
		}
	}
	return l.f.Write(p)
}

// rotate copies the log to <name>.1 and empties it.
func (l *Log) rotate() error {
	old, err := os.Create(l.f.Name() + ".1")
	if err != nil {
		return fmt.Errorf("rotate log: %w", err)
	}
	_, err = io.Copy(old, io.NewSectionReader(l.f, 0, l.max))
	if err = errors.Join(err, old.Close()); err == nil {
		err = l.f.Truncate(0)
	}
	if err != nil {
		return fmt.Errorf("rotate log: %w", err)
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.f.Close() }

// tail gives the last n bytes of the file at path, from the start of a line.
func tail(path string, n int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	b := make([]byte, min(n, info.Size()))
	got, err := f.ReadAt(b, info.Size()-int64(len(b)))
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	return string(b[:got])
}
