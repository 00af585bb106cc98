package webstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"cosafs/backend"
	"cosafs/backend/internal/httplink"
)

// Stat implements [backend.Store].
func (s *Store) Stat(ctx context.Context, key backend.Key) (backend.Info, error) {
	if err := errors.Join(key.Check(), ctx.Err()); err != nil {
		return backend.Info{}, s.fail("stat", key, err)
	}
	info, err := s.stat(ctx, key)
	if err != nil {
		return backend.Info{}, s.fail("stat", key, err)
	}
	return info, nil
}

// stat asks with HEAD, and where that gives no object, or none with a size, once
// more with a GET of its first byte. There are servers without HEAD, servers
// that count nothing for it, and refusals that are no proof of absence: only
// what a GET says is.
func (s *Store) stat(ctx context.Context, key backend.Key) (backend.Info, error) {
	res, err := s.ask(ctx, http.MethodHead, key, nil)
	if err != nil {
		return backend.Info{}, err
	}
	leave(res)
	code := res.StatusCode
	refused := code >= 400 && code < 500 || code == http.StatusNotImplemented
	if refused || code == http.StatusOK && res.ContentLength < 1 {
		return s.statByGet(ctx, key)
	}
	return describe(res, key)
}

// statByGet asks for the first byte of an object. An empty one has none, which some
// servers refuse and describe no further; so it is asked for as a whole then.
func (s *Store) statByGet(ctx context.Context, key backend.Key) (backend.Info, error) {
	res, err := s.ask(ctx, http.MethodGet, key, http.Header{"Range": {"bytes=0-0"}})
	if err != nil {
		return backend.Info{}, err
	}
	leave(res)
	if res.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		if res, err = s.ask(ctx, http.MethodGet, key, nil); err != nil {
			return backend.Info{}, err
		}
		leave(res)
	}
	return describe(res, key)
}

// describe reads off an answer what object there is.
func describe(res *http.Response, key backend.Key) (backend.Info, error) {
	if err := check(res, key); err != nil {
		return backend.Info{}, err
	}
	has, err := spanOf(res)
	if err != nil {
		return backend.Info{}, err
	}
	info := backend.Info{Key: key, Size: has.size, Version: versionOf(res.Header, has.size)}
	if info.Version == "" {
		return backend.Info{}, errNoVersion
	}
	if t, err := http.ParseTime(res.Header.Get("Last-Modified")); err == nil {
		info.ModTime = t
	}
	return info, nil
}

// Open implements [backend.Store].
func (s *Store) Open(ctx context.Context, key backend.Key, r backend.Range, version string) (io.ReadCloser, error) {
	err := errors.Join(key.Check(), ctx.Err())
	if err == nil && r.Off < 0 {
		err = fmt.Errorf("offset %d: %w", r.Off, fs.ErrInvalid)
	}
	if err != nil {
		return nil, s.fail("open", key, err)
	}
	body, err := s.open(ctx, key, r, version)
	if err != nil {
		return nil, s.fail("open", key, err)
	}
	return body, nil
}

func (s *Store) open(ctx context.Context, key backend.Key, r backend.Range, want string) (io.ReadCloser, error) {
	if r.Len == 0 {
		return s.openEmpty(ctx, key, r, want) // HTTP has no way to ask for no bytes
	}
	header := condition(want)
	if bytes := httplink.RangeHeader(r); bytes != "" {
		header.Set("Range", bytes)
	}
	res, err := s.ask(ctx, http.MethodGet, key, header)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		leave(res)
		return s.openEmpty(ctx, key, r, want)
	}
	body, n, err := part(ctx, res, key, r, want)
	if err != nil {
		leave(res) // it is not what was asked for
		return nil, err
	}
	return backend.NewBody(ctx, body, n), nil
}

// part gives the bytes of a range out of an answer, and how many they are.
func part(ctx context.Context, res *http.Response, key backend.Key, r backend.Range, want string) (io.ReadCloser, int64, error) {
	if err := check(res, key); err != nil {
		return nil, 0, err
	}
	has, err := spanOf(res)
	if err == nil {
		err = checkVersion(res.Header, has.size, want)
	}
	if err != nil {
		return nil, 0, err
	}
	n, err := r.Within(has.size)
	if err != nil {
		return nil, 0, err
	}
	before, err := has.skip(r.Off, n)
	return &skipper{ReadCloser: &reader{res.Body, ctx}, before: before}, n, err
}

// openEmpty gives the body of a range that may be empty, or says that it lies past
// the end: the answer 416 is the same for both.
func (s *Store) openEmpty(ctx context.Context, key backend.Key, r backend.Range, want string) (io.ReadCloser, error) {
	info, err := s.stat(ctx, key)
	if err != nil {
		return nil, err
	}
	return backend.EmptyBody(ctx, info, r, want)
}

// A reader is an answer's body. Its errors are mishaps, whatever they look like.
type reader struct {
	io.ReadCloser
	ctx context.Context // Open's, which the body belongs to
}

// Read implements [io.Reader].
func (r *reader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("the server's answer broke off: %w", mishap(r.ctx, err))
	}
	return n, err
}
