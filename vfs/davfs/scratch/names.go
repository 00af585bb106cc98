package scratch

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// top is the name of the collection itself.
	top = "."
	// stateDir is where uploads grow. It is beside the files, since a rename does not
	// leave a file system, and nobody sees it.
	stateDir = ".cosafs"

	maxName  = 4096 // bytes of a path: PATH_MAX, limits.h
	maxDepth = 128  // segments of a path; a copy recurses as deep
)

// parseName gives the name of what a URL path means: segments joined by slashes
// without one at either end, as [os.Root] takes them; [top] for the collection.
// Each segment can be shown in XML, and none leads anywhere else.
func parseName(prefix, urlPath string) (string, error) {
	rest, ok := strings.CutPrefix(urlPath, prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return "", refuse(http.StatusNotFound, fmt.Sprintf("%q is not below %s/", urlPath, prefix))
	}
	if len(rest) > maxName || strings.Count(rest, "/") > maxDepth {
		return "", refuse(http.StatusRequestURITooLong, "the path is too long or too deep")
	}
	for segment := range strings.SplitSeq(rest, "/") {
		if !nameable(segment) {
			return "", refuse(http.StatusBadRequest, fmt.Sprintf("a file can't be called %q", segment))
		}
	}
	name := clean(rest)
	if within(name, stateDir) {
		return "", refuse(http.StatusForbidden, stateDir+" is reserved")
	}
	return name, nil
}

// clean gives the name of a path that [parseName] let through, or that
// x/net/webdav made of one.
func clean(p string) string {
	if p = strings.TrimPrefix(path.Clean("/"+p), "/"); p != "" {
		return p
	}
	return top
}

// nameable says whether a file can have the name: neither "." nor "..", and text
// without control characters, which XML can't hold.
func nameable(segment string) bool {
	return segment != "." && segment != ".." && utf8.ValidString(segment) && !strings.ContainsFunc(segment, unprintable)
}

// unprintable includes what XML 1.0 has no way to write.
func unprintable(r rune) bool { return unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF }

// within says whether name is dir or below it.
func within(name, dir string) bool {
	return dir == top || name == dir || strings.HasPrefix(name, dir+"/")
}

// href is the escaped URL path of a name; a collection's ends in a slash.
func (c *Collection) href(name string, dir bool) string {
	p := c.prefix
	if name != top {
		p += "/" + name
	}
	if dir {
		p += "/"
	}
	return (&url.URL{Path: p}).EscapedPath()
}

// destination gives the name that the Destination header means. One of another
// server can't be written to: 502 (RFC 4918 section 9.8.5).
func (c *Collection) destination(r *http.Request) (string, error) {
	u, err := url.Parse(r.Header.Get("Destination"))
	if err != nil || u.Path == "" {
		return "", refuse(http.StatusBadRequest, "Destination: names no URL")
	}
	if u.Host != "" && u.Host != r.Host {
		return "", refuse(http.StatusBadGateway, "Destination: is on another server")
	}
	name, err := parseName(c.prefix, u.Path)
	if err != nil {
		return "", fmt.Errorf("destination: %w", err)
	}
	return name, nil
}
