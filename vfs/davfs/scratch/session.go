package scratch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"

	"cosafs/vfs/access"
)

// A session is one request on its way. It is the file system and the lock system
// that x/net/webdav sees, so that both know who asks for what.
//
// What the request makes grows in the state directory and is renamed when all of
// it is there; leases keep others away from its place until then.
type session struct {
	c      *Collection
	r      *http.Request
	answer answer
	caller access.Caller

	name string // what the request is about
	dest string // where it is copied or moved to, else ""
	cond conditions

	leases   []string // tokens of the locks that last as long as the request
	fresh    bool     // the request makes something where nothing was
	replaced bool     // a PUT found a file there
	named    bool     // a PROPFIND asks for properties by name

	temp    string // where the request's new files grow; "" while there are none
	budget  budget
	written int64
	failure error // the first thing that went wrong
}

// admit checks all that can be checked before anything is touched.
func (s *session) admit() error {
	role, ok := methods()[s.r.Method]
	if !ok {
		s.answer.Header().Set("Allow", s.allow())
		return refuse(http.StatusMethodNotAllowed, s.r.Method+" is no method of this collection")
	}
	err := s.caller.Demand(role, s.r.Method)
	if err != nil {
		return err
	}
	if s.name, err = parseName(s.c.prefix, s.r.URL.Path); err != nil {
		return err
	}
	if s.cond, err = s.c.parseConditions(s.r, s.name); err != nil {
		return err
	}
	return s.admitMethod()
}

// admitMethod checks what one method asks for.
func (s *session) admitMethod() error {
	switch s.r.Method {
	case "PROPFIND":
		if err := s.admitDepth(); err != nil {
			return err
		}
		return s.admitBody()
	case "PROPPATCH":
		return s.admitBody()
	case http.MethodPut:
		return s.admitPut()
	case "MKCOL":
		return s.admitMkcol()
	case "COPY", "MOVE":
		return s.admitCopy()
	case http.MethodDelete:
		return s.notTop(s.name)
	}
	return nil
}

// admitDepth lets no request walk the whole tree (RFC 4918 section 9.1.1). No
// header means infinity.
func (s *session) admitDepth() error {
	switch d := s.r.Header.Get("Depth"); strings.ToLower(d) {
	case "0", "1":
		return nil
	case "", "infinity":
		return &refusal{http.StatusForbidden, "Depth: infinity lists too much", "propfind-finite-depth"}
	default:
		return refuse(http.StatusBadRequest, fmt.Sprintf("Depth: %q is none of 0, 1", d))
	}
}

// admitPut refuses what would be stored as something else than is meant, and
// what is known to be too much before its bytes are sent.
func (s *session) admitPut() error {
	if s.r.Header.Get("Content-Range") != "" {
		// RFC 9110 section 14.5; x/net/webdav would take the part for the whole.
		return refuse(http.StatusBadRequest, "Content-Range: a part of a file can't be stored")
	}
	if err := s.notTop(s.name); err != nil {
		return err
	}
	s.r.Body = body{s.r.Body, s}
	return s.c.tree.fits(s.r.ContentLength)
}

// A body notes why it could not be read: x/net/webdav answers 405 to that.
type body struct {
	io.ReadCloser
	s *session
}

// Read reads.
func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.s.fail(fmt.Errorf("%w: %w", errCut, err))
	}
	return n, err
}

// admitMkcol refuses bodies, which nobody has given a meaning (RFC 4918 section 9.3).
func (s *session) admitMkcol() error {
	if s.r.ContentLength != 0 {
		return refuse(http.StatusUnsupportedMediaType, "MKCOL takes no body")
	}
	return nil
}

// admitCopy keeps a collection from being copied into itself, where x/net/webdav
// would never end, and from replacing one that it is in, where it would delete
// both.
func (s *session) admitCopy() error {
	var err error
	if s.dest, err = s.c.destination(s.r); err != nil {
		return err
	}
	if within(s.dest, s.name) || within(s.name, s.dest) {
		return refuse(http.StatusForbidden, "source and destination are the same, or one is in the other")
	}
	if s.r.Header.Get("Overwrite") == "" {
		// RFC 4918 section 10.6; x/net/webdav takes a MOVE without it for "F".
		s.r.Header.Set("Overwrite", "T")
	}
	// x/net/webdav would compare hosts again; what it needs is the path.
	s.r.Header.Set("Destination", (&url.URL{Path: path.Join("/", s.c.prefix, s.dest)}).String())
	if _, err := s.c.tree.look(s.name); err != nil {
		return err
	}
	return s.c.tree.parent(s.dest)
}

// notTop keeps the collection itself in its place.
func (s *session) notTop(name string) error {
	if name == top {
		return refuse(http.StatusMethodNotAllowed, "this is the collection itself")
	}
	return nil
}

// fail notes the first thing that went wrong, if it did: the answer says why,
// where x/net/webdav has one status for everything.
func (s *session) fail(err error) {
	if s.failure == nil && err != nil {
		s.failure = err
	}
}

// audit writes a line for each change, and one for each that was refused.
func (s *session) audit(ctx context.Context) {
	if methods()[s.r.Method] < access.Builder {
		if s.answer.failed {
			s.c.log.ErrorContext(ctx, "scratch: the listing was cut off", "path", s.name)
		}
		return
	}
	attrs := []slog.Attr{
		slog.String("op", s.r.Method), slog.String("path", s.name), slog.Int("status", s.answer.status),
		slog.String("user", s.caller.Name), slog.String("addr", s.caller.Addr),
	}
	if s.dest != "" {
		attrs = append(attrs, slog.String("to", s.dest))
	}
	if s.written > 0 {
		attrs = append(attrs, slog.Int64("bytes", s.written))
	}
	level, text := slog.LevelInfo, "scratch changed"
	if s.failure != nil {
		text, attrs = "scratch change refused", append(attrs, slog.Any("err", s.failure))
	}
	if s.answer.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	s.c.log.LogAttrs(ctx, level, text, attrs...)
}
