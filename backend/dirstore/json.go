package dirstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"cosafs/backend"
)

// cosa renames its JSON files into place before their last bytes are written,
// and lets go of the lock then, too. So a file may be empty or cut short for a
// moment; settled is when it is surely no longer.
const settled = 5 * time.Second

// readTries bounds the wait for a file's rest: 10 ms, doubled each time, makes 0.6 s.
const readTries = 7

// ReadJSON reads a file and hands it to parse. If parse fails and the file was
// written only just now, it is read again after a while: see settled. The error
// of the last parse is given. No lock is taken, because a complete file
// is only ever replaced as a whole.
func (b *Builds) ReadJSON(ctx context.Context, file backend.Key, parse func([]byte) error) error {
	if err := readable(ctx, file); err != nil {
		return b.s.fail("read", file, err)
	}
	_, err := b.s.readParsed(ctx, file, parse)
	if err != nil {
		return b.s.fail("read", file, err)
	}
	return nil
}

func (s *Store) readParsed(ctx context.Context, file backend.Key, parse func([]byte) error) ([]byte, error) {
	delay := 10 * time.Millisecond
	for try := 1; ; try++ {
		data, age, err := s.readAged(file)
		if err != nil {
			return nil, err
		}
		err = parse(data)
		if err == nil || try == readTries || age > settled {
			return data, err
		}
		if err := pause(ctx, delay); err != nil {
			return nil, err
		}
		delay *= 2
	}
}

// readAged reads a file and says how long ago it was written.
func (s *Store) readAged(file backend.Key) ([]byte, time.Duration, error) {
	f, err := s.openFile(file)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }() // read only
	st, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !st.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("not a file: %w", fs.ErrInvalid)
	}
	data, err := io.ReadAll(f)
	return data, time.Since(st.ModTime()), err
}

// UpdateJSON changes a file under its lock: change gets the present content, nil
// if there is no file, and gives the new one. Readers see the old or the new
// file, whole. Returning the old content, or an error, changes nothing.
// Content that is no JSON, even after a wait as in ReadJSON, is an error: it may
// be the only copy of something. change is called at most once, with the lock held.
func (b *Builds) UpdateJSON(ctx context.Context, file backend.Key, change func(old []byte) ([]byte, error)) error {
	unlock, err := b.Lock(ctx, file)
	if err != nil {
		return err
	}
	err = b.s.update(ctx, file, change)
	if err != nil {
		err = b.s.fail("update", file, err)
	}
	return errors.Join(err, unlock())
}

func (s *Store) update(ctx context.Context, file backend.Key, change func([]byte) ([]byte, error)) error {
	old, err := s.readParsed(ctx, file, isJSON)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := change(old)
	if err != nil || bytes.Equal(data, old) {
		return err
	}
	if err := isJSON(data); err != nil {
		return err
	}
	return s.replace(ctx, file, data)
}

func isJSON(b []byte) error {
	if !json.Valid(b) {
		return errors.New("not JSON, or cut short")
	}
	return nil
}

// replace is a Put whose lock is held already.
func (s *Store) replace(ctx context.Context, file backend.Key, data []byte) (err error) {
	src := backend.Source{ReaderAt: bytes.NewReader(data), Size: int64(len(data))}
	f, temp, err := s.stage(ctx, dirName(file.Dir()), src)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.discard(f, temp)) }() // no name left if it was moved
	if err := s.root.Rename(temp, string(file)); err != nil {
		return err
	}
	return s.syncDir(file.Dir())
}
