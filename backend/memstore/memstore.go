// Package memstore is a backend.Store in memory: the reference for what the
// contract means, and the store that tests run on.
package memstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cosafs/backend"
)

// A Store keeps objects in memory until it is forgotten. The zero Store is
// empty and ready. Close does nothing.
type Store struct {
	mu      sync.RWMutex // guards what follows
	objects map[backend.Key]object
	writes  uint64 // so far; the newest object's version
}

// An object is never changed, only replaced.
type object struct {
	data []byte
	info backend.Info
}

var (
	_ backend.Store  = (*Store)(nil)
	_ backend.Writer = (*Store)(nil)
	_ backend.Walker = (*Store)(nil)
)

// Stat implements [backend.Store].
func (s *Store) Stat(ctx context.Context, key backend.Key) (backend.Info, error) {
	o, err := s.get(ctx, key)
	if err != nil {
		return backend.Info{}, wrap("stat", key, err)
	}
	return o.info, nil
}

// Open implements [backend.Store].
func (s *Store) Open(ctx context.Context, key backend.Key, r backend.Range, version string) (io.ReadCloser, error) {
	o, err := s.get(ctx, key)
	if err == nil && version != "" && version != o.info.Version {
		err = backend.ErrChanged
	}
	if err != nil {
		return nil, wrap("open", key, err)
	}
	n, err := r.Within(o.info.Size)
	if err != nil {
		return nil, wrap("open", key, err)
	}
	part := io.NopCloser(bytes.NewReader(o.data[r.Off : r.Off+n]))
	return backend.NewBody(ctx, part, n), nil
}

func (s *Store) get(ctx context.Context, key backend.Key) (object, error) {
	if err := errors.Join(key.Check(), ctx.Err()); err != nil {
		return object{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, ok := s.objects[key]
	if !ok {
		return object{}, fs.ErrNotExist
	}
	return o, nil
}

// List implements [backend.Store].
func (s *Store) List(ctx context.Context, prefix backend.Key) iter.Seq2[backend.Info, error] {
	return list(ctx, prefix, s.level)
}

// Walk implements [backend.Walker].
func (s *Store) Walk(ctx context.Context, prefix backend.Key) iter.Seq2[backend.Info, error] {
	return list(ctx, prefix, s.below)
}

// list gives what find finds, as far as ctx lasts.
func list(ctx context.Context, prefix backend.Key, find func(backend.Key) []backend.Info) iter.Seq2[backend.Info, error] {
	return func(yield func(backend.Info, error) bool) {
		if err := prefix.CheckPrefix(); err != nil {
			yield(backend.Info{}, wrap("list", prefix, err))
			return
		}
		for _, info := range find(prefix) {
			if ctx.Err() != nil {
				break
			}
			if !yield(info, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(backend.Info{}, wrap("list", prefix, err))
		}
	}
}

// level gives what lies one level below prefix, in name order.
func (s *Store) level(prefix backend.Key) []backend.Info {
	found := map[backend.Key]backend.Info{}
	for _, info := range s.below(prefix) {
		rest := strings.TrimPrefix(strings.TrimPrefix(string(info.Key), string(prefix)), "/")
		if name, _, deeper := strings.Cut(rest, "/"); deeper {
			dir := prefix.Join(name)
			info = backend.Info{Key: dir, Dir: true}
		}
		found[info.Key] = info
	}
	return inOrder(found)
}

// below gives all objects below prefix, in the order of their keys. It is a copy,
// so that no lock is held while the list's user works.
func (s *Store) below(prefix backend.Key) []backend.Info {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := map[backend.Key]backend.Info{}
	for key, o := range s.objects {
		if prefix == "" || strings.HasPrefix(string(key), string(prefix)+"/") {
			found[key] = o.info
		}
	}
	return inOrder(found)
}

func inOrder(found map[backend.Key]backend.Info) []backend.Info {
	return slices.SortedFunc(maps.Values(found), func(a, b backend.Info) int { return strings.Compare(string(a.Key), string(b.Key)) })
}

// Properties implements [backend.Store].
func (s *Store) Properties() backend.Properties {
	return backend.Properties{Ranges: true, Lists: true, Conditions: true}
}

// Close implements [backend.Store].
func (s *Store) Close() error { return nil }

// Put implements [backend.Writer].
func (s *Store) Put(ctx context.Context, key backend.Key, src backend.Source, cond backend.Cond) (backend.Info, error) {
	if err := errors.Join(key.Check(), cond.Check(), ctx.Err()); err != nil {
		return backend.Info{}, wrap("put", key, err)
	}
	data, err := readAll(src)
	if err != nil {
		return backend.Info{}, wrap("put", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.allowed(key, cond); err != nil {
		return backend.Info{}, wrap("put", key, err)
	}
	return s.set(key, data), nil
}

// readAll reads and checks a source.
func readAll(src backend.Source) ([]byte, error) {
	data := make([]byte, src.Size)
	if n, err := src.ReadAt(data, 0); int64(n) < src.Size {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if src.Digested() && sha256.Sum256(data) != src.SHA256 {
		return nil, backend.ErrDigest
	}
	return data, nil
}

// allowed checks a condition; mu is held.
func (s *Store) allowed(key backend.Key, cond backend.Cond) error {
	o, ok := s.objects[key]
	if cond.IfAbsent && ok || cond.IfMatch != "" && o.info.Version != cond.IfMatch {
		return backend.ErrCondition
	}
	return nil
}

// set stores an object; mu is held.
func (s *Store) set(key backend.Key, data []byte) backend.Info {
	if s.objects == nil {
		s.objects = map[backend.Key]object{}
	}
	s.writes++
	info := backend.Info{Key: key, Size: int64(len(data)), ModTime: time.Now(), Version: strconv.FormatUint(s.writes, 10), SHA256: sha256.Sum256(data)}
	s.objects[key] = object{data: data, info: info}
	return info
}

// Delete implements [backend.Writer].
func (s *Store) Delete(ctx context.Context, key backend.Key, cond backend.Cond) error {
	if err := errors.Join(key.Check(), cond.CheckDelete(), ctx.Err()); err != nil {
		return wrap("delete", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.allowed(key, cond); err != nil {
		return wrap("delete", key, err)
	}
	delete(s.objects, key)
	return nil
}

func wrap(op string, key backend.Key, err error) error {
	return &fs.PathError{Op: op, Path: "memory:" + string(key), Err: err}
}
