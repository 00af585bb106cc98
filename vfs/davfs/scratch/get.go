package scratch

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"syscall"

	"cosafs/vfs/access"
)

// get answers GET and HEAD. Files go out by [http.ServeContent], so by sendfile,
// with conditions and ranges; x/net/webdav answers 404 to every error, and looks
// into files for their types.
func (s *session) get() error {
	f, err := s.c.tree.open(s.name)
	if err != nil {
		return err
	}
	fi, err := f.Stat()
	if err == nil && fi.IsDir() {
		err = s.getDir(&opened{file: f, s: s, name: s.name})
	} else if err == nil {
		h := s.answer.Header()
		h.Set("ETag", entityTag(fi))
		h.Set("Content-Type", contentType(s.name))
		guard(h, "sandbox; default-src 'none'")
		http.ServeContent(s.direct(), s.r, "", fi.ModTime(), f)
	}
	return errors.Join(err, f.Close())
}

// guard keeps what somebody uploaded from acting in a browser as if it was a page
// of this server: it stays within the policy, and is of no other type than we say.
func guard(h http.Header, policy string) {
	h.Set("Content-Security-Policy", policy+"; frame-ancestors 'none'; form-action 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
}

// direct gives the answer to who writes all of it.
func (s *session) direct() http.ResponseWriter {
	s.answer.passing, s.answer.status = true, http.StatusOK
	return s.answer.ResponseWriter
}

// entityTag is strong: files are replaced, never changed, and each new one has an
// inode or a time of its own (see [clock]).
func entityTag(fi fs.FileInfo) string {
	var ino uint64
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		ino = st.Ino
	}
	return fmt.Sprintf(`"%x-%x-%x"`, ino, fi.ModTime().UnixNano(), fi.Size())
}

// options says what can be done. Who may only read is told of class 1, so that
// his file manager mounts it read-only.
func (s *session) options() {
	h := s.answer.Header()
	h.Set("Allow", s.allow())
	h.Set("DAV", "1")
	if s.caller.Role >= access.Builder {
		h.Set("DAV", "1, 2")
	}
	// Windows looks for it before it takes a server for a WebDAV server.
	h.Set("MS-Author-Via", "DAV")
	s.answer.WriteHeader(http.StatusOK)
}

// allow lists what the caller may do.
func (s *session) allow() string {
	reading := []string{"OPTIONS", "GET", "HEAD", "PROPFIND"}
	if s.caller.Role >= access.Builder {
		reading = append(reading, "PUT", "DELETE", "MKCOL", "COPY", "MOVE", "PROPPATCH", "LOCK", "UNLOCK")
	}
	return strings.Join(reading, ", ")
}
