package webstore

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"cosafs/backend"
)

// errNoVersion means that nothing tells one version of an object from another.
var errNoVersion = fmt.Errorf("the server gives neither ETag nor Last-Modified: %w", errors.ErrUnsupported)

// versionOf gives the Version of an object of size bytes, "" if the answer's
// headers name none: a strong ETag as it stands, in quotes, else the time of
// modification, the size and the weak ETag.
func versionOf(h http.Header, size int64) string {
	tag, date := h.Get("ETag"), h.Get("Last-Modified")
	switch {
	case strong(tag):
		return tag
	case tag == "" && date == "":
		return ""
	}
	return fmt.Sprintf("%s;%d;%s", date, size, tag)
}

// strong says whether an ETag stands for bytes (RFC 9110, 8.8.3). Some servers
// forget the quotes; without them no condition can be made of it.
func strong(tag string) bool { return len(tag) > 2 && tag[0] == '"' && tag[len(tag)-1] == '"' }

// condition gives the headers that ask for a Version, as far as there are any.
//
// If-Range would not do: to another version it answers with all bytes of it, and
// to this one without Last-Modified.
func condition(version string) http.Header {
	h := http.Header{}
	date, _, timed := strings.Cut(version, ";")
	switch {
	case strong(version):
		h.Set("If-Match", version)
	case timed && date != "":
		h.Set("If-Unmodified-Since", date)
	}
	return h
}

// checkVersion compares what an answer says with the Version asked for, since not
// all servers keep conditions.
func checkVersion(h http.Header, size int64, want string) error {
	switch got := versionOf(h, size); {
	case want == "" || got == want:
		return nil
	case got == "":
		return errNoVersion
	}
	return backend.ErrChanged
}
