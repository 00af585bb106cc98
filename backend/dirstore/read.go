package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"
	"syscall"

	"cosafs/backend"
)

// Stat implements [backend.Store].
func (s *Store) Stat(ctx context.Context, key backend.Key) (backend.Info, error) {
	if err := readable(ctx, key); err != nil {
		return backend.Info{}, s.fail("stat", key, err)
	}
	info, err := s.stat(key)
	if err != nil {
		return backend.Info{}, s.fail("stat", key, err)
	}
	return info, nil
}

func (s *Store) stat(key backend.Key) (backend.Info, error) {
	st, err := s.root.Stat(string(key))
	if err != nil {
		return backend.Info{}, absent(err)
	}
	return infoOf(key, st)
}

// absent recognises one more proof of absence: below a file there is nothing.
func absent(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return fs.ErrNotExist
	}
	return err
}

// Open implements [backend.Store]. A file that is replaced while it is read goes
// on giving its old bytes; one that is rewritten in place gives ErrChanged.
func (s *Store) Open(ctx context.Context, key backend.Key, r backend.Range, version string) (io.ReadCloser, error) {
	if err := readable(ctx, key); err != nil {
		return nil, s.fail("open", key, err)
	}
	f, err := s.openFile(key)
	if err != nil {
		return nil, s.fail("open", key, err)
	}
	body, n, err := pin(f, key, r, version)
	if err != nil {
		_ = f.Close() // read only
		return nil, s.fail("open", key, err)
	}
	return backend.NewBody(ctx, body, n), nil
}

func (s *Store) openFile(key backend.Key) (*os.File, error) {
	// O_NONBLOCK: opening a pipe must not wait for its other end.
	f, err := s.root.OpenFile(string(key), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	return f, absent(err)
}

func readable(ctx context.Context, key backend.Key) error {
	if err := errors.Join(key.Check(), ctx.Err()); err != nil {
		return err
	}
	if hidden(key) {
		return fs.ErrNotExist
	}
	return nil
}

// infoOf describes a file. Only regular files are objects.
//
// The version is size, modification time and inode. Our own writes replace the
// inode and stamp the time to the nanosecond ([Store.Put]); a foreign one within
// the same tick of the kernel's clock (4 ms or so), to the same size and in
// place, is not seen.
func infoOf(key backend.Key, st fs.FileInfo) (backend.Info, error) {
	if !st.Mode().IsRegular() {
		return backend.Info{}, fs.ErrNotExist
	}
	var inode uint64
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		inode = sys.Ino
	}
	return backend.Info{
		Key: key, Size: st.Size(), ModTime: st.ModTime(),
		Version: fmt.Sprintf("%x-%x-%x", st.Size(), st.ModTime().UnixNano(), inode),
	}, nil
}

// pin gives a reader of a range of f in the version that f has now.
func pin(f *os.File, key backend.Key, r backend.Range, version string) (io.ReadCloser, int64, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	info, err := infoOf(key, st)
	if err != nil {
		return nil, 0, err
	}
	if version != "" && version != info.Version {
		return nil, 0, backend.ErrChanged
	}
	n, err := r.Within(info.Size)
	return &pinned{f: f, info: info, off: r.Off}, n, err
}

// A pinned reader reads one version of a file.
type pinned struct {
	f    *os.File
	info backend.Info
	off  int64
}

func (p *pinned) Read(b []byte) (int, error) {
	n, err := p.f.ReadAt(b, p.off)
	// After the read: what changed later is not in b.
	st, serr := p.f.Stat()
	if serr != nil {
		return 0, serr
	}
	if now, ierr := infoOf(p.info.Key, st); ierr != nil || now.Version != p.info.Version {
		return 0, &fs.PathError{Op: "read", Path: p.f.Name(), Err: backend.ErrChanged}
	}
	p.off += int64(n)
	return n, err
}

func (p *pinned) Close() error { return p.f.Close() }

// List implements [backend.Store].
func (s *Store) List(ctx context.Context, prefix backend.Key) iter.Seq2[backend.Info, error] {
	return func(yield func(backend.Info, error) bool) {
		entries, err := s.readDir(ctx, prefix)
		for _, e := range entries {
			if err = ctx.Err(); err != nil {
				break
			}
			var info backend.Info
			info, err = s.entry(prefix.Join(e.Name()))
			if errors.Is(err, fs.ErrNotExist) {
				err = nil // gone since, or nothing that a store shows
				continue
			}
			if err != nil || !yield(info, nil) {
				break
			}
		}
		if err != nil {
			yield(backend.Info{}, s.fail("list", prefix, err))
		}
	}
}

func (s *Store) readDir(ctx context.Context, prefix backend.Key) ([]fs.DirEntry, error) {
	if err := errors.Join(prefix.CheckPrefix(), ctx.Err()); err != nil || hidden(prefix) {
		return nil, err
	}
	entries, err := fs.ReadDir(s.root.FS(), dirName(prefix))
	if errors.Is(absent(err), fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// entry describes one name of a list.
func (s *Store) entry(key backend.Key) (backend.Info, error) {
	if !backend.ValidKey(string(key)) || strings.HasPrefix(key.Base(), ".") {
		return backend.Info{}, fs.ErrNotExist
	}
	st, err := s.root.Lstat(string(key))
	if err != nil {
		return backend.Info{}, err
	}
	if st.IsDir() {
		return backend.Info{Key: key, Dir: true}, nil
	}
	return infoOf(key, st)
}
