package workdir

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"cosafs/backend"
	"cosafs/index"
)

// A journal remembers what is being published, so that a process that was
// killed between two steps of it is followed by one that does the rest. A note
// is locked with flock(2) while its process lives: the kernel drops that at any
// exit, and nobody finishes what another one is still doing.
type journal struct{ dir string }

// A note says what is being published: a build, one more file of it, or one that
// takes the place of another.
type note struct {
	ID   string `json:"id"`
	Arch string `json:"arch"`
	File string `json:"file,omitempty"`
	Was  string `json:"was,omitempty"`
	// SHA256 is that of File where it takes the place of one of the same name.
	SHA256 string `json:"sha256,omitempty"`
}

// An openNote is a note of this process, which strikes it out or leaves it to
// the next [records.recover].
type openNote struct{ f *os.File }

func (n openNote) strike() error { return errors.Join(removeIfThere(n.f.Name()), n.f.Close()) }
func (n openNote) leave() error  { return n.f.Close() }

// begin writes a note.
func (j journal) begin(n note) (openNote, error) {
	text, err := json.Marshal(n)
	if err != nil {
		return openNote{}, err
	}
	if err := os.MkdirAll(j.dir, 0o755); err != nil {
		return openNote{}, err
	}
	f, err := j.create()
	if err != nil {
		return openNote{}, err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync()); err != nil {
		return openNote{}, errors.Join(err, openNote{f}.strike())
	}
	return openNote{f}, nil
}

// create makes an empty locked file. One that a recovery found before it was
// locked is gone, and another one is made.
func (j journal) create() (*os.File, error) {
	for {
		f, err := os.CreateTemp(j.dir, "note-*")
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if _, gone := os.Lstat(f.Name()); err == nil && gone == nil {
			return f, nil
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
}

// recover finishes what killed processes were publishing, then clears what they
// left in builds/. What can't be finished now keeps its note.
func (r *records) recover(ctx context.Context) error {
	paths, err := filepath.Glob(filepath.Join(r.journal.dir, "note-*"))
	for _, path := range paths {
		err = errors.Join(err, r.finish(ctx, path))
	}
	return errors.Join(err, r.builds.Sweep(ctx))
}

// finish does the rest of one note, unless its process lives.
func (r *records) finish(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return ifPresent(err)
	}
	defer func() { _ = f.Close() }() // read only
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil // it lives
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	var n note
	if json.Unmarshal(text, &n) != nil || !index.ValidName(n.ID) || !index.ValidName(n.Arch) {
		return removeIfThere(path) // cut short: nothing had begun
	}
	if err := r.complete(ctx, n); err != nil {
		return err
	}
	return removeIfThere(path)
}

// complete lists a build whose directory stands, which is complete because it
// came by one rename; and takes away a file that no meta.json records, which the
// next one of its name would otherwise be refused for.
func (r *records) complete(ctx context.Context, n note) error {
	key := r.dirOf(ctx, n.ID, n.Arch)
	dir := r.path(key)
	switch {
	case !isDir(dir):
		return nil
	case n.File == "":
		return r.enlist(ctx, n.ID, n.Arch)
	}
	meta, err := r.meta(ctx, dir)
	if err != nil {
		return err
	}
	if n.SHA256 != "" {
		return r.settle(meta, backend.Key(filepath.ToSlash(key)), n)
	}
	if left := leftOver(meta, n); left != "" {
		return removeIfThere(filepath.Join(dir, left))
	}
	return nil
}

// leftOver names the file that no meta.json records: the one of the note or, if
// that is recorded, the one that it takes the place of. Where neither of two is,
// somebody else has changed meta.json, and none is ours to delete: "".
func leftOver(meta *index.Meta, n note) string {
	now, was := namesFile(meta, n.File), n.Was != "" && namesFile(meta, n.Was)
	left := n.File
	switch {
	case now && !was:
		left = n.Was
	case now || n.Was != "" && !was:
		return ""
	}
	if !index.ValidName(left) || strings.HasPrefix(left, ".") {
		return ""
	}
	return left
}

func removeIfThere(path string) error { return ifPresent(os.Remove(path)) }

// ifPresent gives err unless it says that something is not there.
func ifPresent(err error) error {
	if isAbsent(err) {
		return nil
	}
	return err
}
