package webstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"strings"

	"cosafs/backend"
)

// Stat implements [backend.Store]. A server that knows no HEAD is asked for one
// byte.
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

func (s *Store) stat(ctx context.Context, key backend.Key) (backend.Info, error) {
	res, err := s.ask(ctx, http.MethodHead, key, "", "")
	if err != nil {
		return backend.Info{}, err
	}
	_ = res.Body.Close() // an answer to HEAD has none
	if res.StatusCode == http.StatusMethodNotAllowed || res.StatusCode == http.StatusNotImplemented {
		return s.statByte(ctx, key)
	}
	if err := check(res, key); err != nil {
		return backend.Info{}, err
	}
	if res.ContentLength < 0 {
		return s.statByte(ctx, key)
	}
	return info(res, key, res.ContentLength), nil
}

// statByte learns what there is from a GET of one byte: its Content-Range tells
// the size.
func (s *Store) statByte(ctx context.Context, key backend.Key) (backend.Info, error) {
	res, err := s.ask(ctx, http.MethodGet, key, "bytes=0-0", "")
	if err != nil {
		return backend.Info{}, err
	}
	defer func() { _ = res.Body.Close() }() // the byte does not matter
	if err := check(res, key); err != nil && !errors.Is(err, backend.ErrRange) {
		return backend.Info{}, err
	}
	size := res.ContentLength
	if text := res.Header.Get("Content-Range"); text != "" {
		if _, _, size, err = parseContentRange(text); err != nil {
			return backend.Info{}, err
		}
	}
	if size < 0 {
		return backend.Info{}, errors.New("the server does not tell the size")
	}
	return info(res, key, size), nil
}

func info(res *http.Response, key backend.Key, size int64) backend.Info {
	i := backend.Info{Key: key, Size: size, Version: version(res.Header, size)}
	if t, err := http.ParseTime(res.Header.Get("Last-Modified")); err == nil {
		i.ModTime = t
	}
	return i
}

// version makes a version of what an answer says: its strong ETag, else date and
// size, which a weak ETag adds nothing to. "" where there is neither.
func version(h http.Header, size int64) string {
	if tag := h.Get("Etag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	if date := h.Get("Last-Modified"); date != "" {
		return fmt.Sprintf("%s, %d bytes", date, size)
	}
	return ""
}

// Open implements [backend.Store].
func (s *Store) Open(ctx context.Context, key backend.Key, r backend.Range, version string) (io.ReadCloser, error) {
	if err := errors.Join(key.Check(), ctx.Err()); err != nil {
		return nil, s.fail("open", key, err)
	}
	body, err := s.open(ctx, key, r, version)
	if err != nil {
		return nil, s.fail("open", key, err)
	}
	return body, nil
}

func (s *Store) open(ctx context.Context, key backend.Key, r backend.Range, want string) (io.ReadCloser, error) {
	if r.Off < 0 {
		return nil, fmt.Errorf("offset %d: %w", r.Off, fs.ErrInvalid)
	}
	if r.Len == 0 {
		return s.openEmpty(ctx, key, r, want) // HTTP has no way to ask for no bytes
	}
	res, err := s.ask(ctx, http.MethodGet, key, rangeHeader(r), want)
	if err != nil {
		return nil, err
	}
	err = check(res, key)
	var skip, n int64
	if err == nil {
		skip, n, err = extent(res, r, want)
	}
	if err != nil {
		_ = res.Body.Close() // it is not what was asked for
		if errors.Is(err, backend.ErrRange) {
			return s.openEmpty(ctx, key, r, want)
		}
		return nil, err
	}
	body := backend.NewBody(ctx, res.Body, skip+n)
	if _, err := io.CopyN(io.Discard, body, skip); err != nil {
		return nil, errors.Join(err, body.Close())
	}
	return body, nil
}

// openEmpty gives the body of a range that may be empty, or says that it lies past
// the end: the answer 416 is the same for both.
func (s *Store) openEmpty(ctx context.Context, key backend.Key, r backend.Range, want string) (io.ReadCloser, error) {
	now, err := s.stat(ctx, key)
	if err != nil {
		return nil, err
	}
	if want != "" && now.Version != want {
		return nil, backend.ErrChanged
	}
	n, err := r.Within(now.Size)
	if err != nil {
		return nil, err
	}
	if n != 0 {
		return nil, fmt.Errorf("the server refuses %d bytes at %d of %d", n, r.Off, now.Size)
	}
	return backend.NewBody(ctx, http.NoBody, 0), nil
}

// rangeHeader gives the Range header, "" for a whole object.
func rangeHeader(r backend.Range) string {
	switch {
	case r.Len < 0 && r.Off == 0:
		return ""
	case r.Len < 0:
		return fmt.Sprintf("bytes=%d-", r.Off)
	}
	return fmt.Sprintf("bytes=%d-%d", r.Off, r.Off+min(r.Len-1, math.MaxInt64-r.Off))
}

// extent gives which bytes of an answer are those of r: so many after skipping so
// many. A server that knows no ranges gives the whole object.
func extent(res *http.Response, r backend.Range, want string) (skip, n int64, err error) {
	size, skip := res.ContentLength, r.Off
	if res.StatusCode == http.StatusPartialContent {
		var first, last int64
		first, last, size, err = parseContentRange(res.Header.Get("Content-Range"))
		if err != nil {
			return 0, 0, err
		}
		if n, err = r.Within(size); err == nil && (first != r.Off || last-first+1 != n) {
			err = fmt.Errorf("the server gives %q for %d bytes at %d", res.Header.Get("Content-Range"), n, r.Off)
		}
		skip = 0
	} else if size < 0 {
		return 0, 0, errors.New("the server does not tell the size")
	} else {
		n, err = r.Within(size)
	}
	if err == nil && want != "" && version(res.Header, size) != want {
		err = backend.ErrChanged
	}
	return skip, n, err
}

// parseContentRange reads "bytes FIRST-LAST/SIZE" (RFC 9110, 14.4), and "bytes
// */SIZE", which says that there is nothing.
func parseContentRange(text string) (first, last, size int64, err error) {
	if _, err := fmt.Sscanf(text, "bytes */%d", &size); err == nil && size >= 0 {
		return 0, -1, size, nil
	}
	_, err = fmt.Sscanf(text, "bytes %d-%d/%d", &first, &last, &size)
	if err == nil && (first < 0 || last < first || size <= last) {
		err = errors.New("it makes no sense")
	}
	if err != nil {
		return 0, 0, 0, fmt.Errorf("content range %q: %w", text, err)
	}
	return first, last, size, nil
}
