package materialize

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// keepAttempts is how long after its expiry a failure still counts as an
// earlier attempt.
const keepAttempts = 24 * time.Hour

// FileMemory is a [Memory] of one small JSON file an entry. A file is replaced
// by rename, so a reader sees the old or the new one; one that can't be
// understood is dropped with a line in the log.
type FileMemory struct {
	dir string
	log *slog.Logger
}

// OpenFileMemory opens, or makes, a memory in dir. log may be nil.
func OpenFileMemory(dir string, log *slog.Logger) (*FileMemory, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	for _, kind := range []string{"failures", "sizes"} {
		if err := os.MkdirAll(filepath.Join(dir, kind), 0o755); err != nil {
			return nil, fmt.Errorf("open memory: %w", err)
		}
	}
	m := &FileMemory{dir: dir, log: log}
	m.sweep(time.Now())
	return m, nil
}

// sweep drops failures that ended long ago: their inputs have changed since.
func (m *FileMemory) sweep(now time.Time) {
	// A pattern without a bad bracket can't fail.
	paths, _ := filepath.Glob(filepath.Join(m.dir, "failures", "*.json"))
	for _, path := range paths {
		var rec FailureRecord
		if m.load(path, &rec) && now.Sub(rec.Until) > keepAttempts {
			_ = os.Remove(path) // a cache entry: the next sweep tries again
		}
	}
}

var _ Memory = (*FileMemory)(nil)

// sizeRecord keeps the key beside the size: the file's name is only its hash.
type sizeRecord struct {
	Key  string `json:"key"`
	Size int64  `json:"size"`
}

// Failure implements [Memory].
func (m *FileMemory) Failure(key string) (FailureRecord, bool) {
	var rec FailureRecord
	ok := m.load(m.path("failures", key), &rec)
	return rec, ok
}

// PutFailure implements [Memory].
func (m *FileMemory) PutFailure(key string, rec FailureRecord) error {
	return writeJSON(m.path("failures", key), rec)
}

// ClearFailure implements [Memory].
func (m *FileMemory) ClearFailure(key string) error {
	err := os.Remove(m.path("failures", key))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget failure: %w", err)
	}
	return nil
}

// Size implements [Memory].
func (m *FileMemory) Size(key string) (int64, bool) {
	var rec sizeRecord
	ok := m.load(m.path("sizes", key), &rec)
	return rec.Size, ok && rec.Key == key
}

// PutSize implements [Memory].
func (m *FileMemory) PutSize(key string, size int64) error {
	return writeJSON(m.path("sizes", key), sizeRecord{key, size})
}

// path hashes the key: keys are any strings, and file names are not.
func (m *FileMemory) path(kind, key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(m.dir, kind, hex.EncodeToString(sum[:16])+".json")
}

// load reads one entry and says whether it is there and whole.
func (m *FileMemory) load(path string, v any) bool {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		m.log.Warn("dropping a damaged memory entry", "path", path, "err", err)
		_ = os.Remove(path) // a cache entry: the next put replaces it anyway
		return false
	}
	return true
}

// writeJSON replaces a file by one that holds v. Readers and a crash see the
// old file or the new one. There is no fsync: what is written with it is worth
// less than the wait, and a torn file is dropped by its reader.
func writeJSON(path string, v any) error {
	return replaceJSON(path, v, func(*os.File) error { return nil })
}

// keepJSON is a writeJSON whose content is on the disk before it gets its name.
func keepJSON(path string, v any) error { return replaceJSON(path, v, (*os.File).Sync) }

func replaceJSON(path string, v any, sync func(*os.File) error) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = tmp.Write(append(data, '\n'))
	if err = errors.Join(err, tmp.Chmod(0o644), sync(tmp), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // the first error is the one that matters
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
