package stores

import (
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
)

// A place is where a store is, taken apart as far as all kinds of stores have in
// common.
type place struct {
	scheme string // in small letters; "file" for a directory
	rest   string // host or bucket and path, or the directory; nothing at its end that says nothing
	query  string // with its question mark, or ""
}

// parse takes apart what a person typed or pasted.
func parse(store string) (place, error) {
	scheme, rest, ok := cutScheme(store)
	switch {
	case !ok:
		return directory(store)
	case scheme == "file":
		return fromFileURL(rest)
	}
	p := place{scheme: scheme, rest: rest}
	if i := strings.IndexByte(rest, '?'); i >= 0 {
		p.rest, p.query = rest[:i], rest[i:]
	}
	p.rest = trimEnd(p.rest)
	if host, _, _ := strings.Cut(p.rest, "/"); scheme == "s3" && strings.Contains(host, "@") {
		return place{}, fmt.Errorf("%s: an S3 store's URL holds no account, AWS_PROFILE or AWS_ACCESS_KEY_ID names it: %w", withoutSecrets(store), fs.ErrInvalid)
	}
	return p, nil
}

// cutScheme cuts a URL behind its scheme, which it gives in small letters. Any other
// text is a directory's name.
func cutScheme(store string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(store, "://")
	other := func(r rune) bool { return (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9') }
	if !ok || scheme == "" || strings.ContainsFunc(scheme, other) {
		return "", store, false
	}
	return strings.ToLower(scheme), rest, true
}

// trimEnd takes off what people copy along.
func trimEnd(path string) string {
	for {
		short := strings.TrimSuffix(strings.TrimRight(path, "/"), "/builds.json")
		if short == path {
			return path
		}
		path = short
	}
}

// fromFileURL reads what follows file://: an absolute path, escaped as in any URL.
func fromFileURL(rest string) (place, error) {
	dir, err := url.PathUnescape(strings.TrimPrefix(rest, "localhost"))
	if err != nil || !filepath.IsAbs(dir) {
		return place{}, fmt.Errorf("file://%s is no file:///PATH: %s: %w", rest, forms, fs.ErrInvalid)
	}
	return directory(dir)
}

func directory(dir string) (place, error) {
	if dir == "" || strings.ContainsRune(dir, 0) {
		return place{}, fmt.Errorf("%q: %s: %w", dir, forms, fs.ErrInvalid)
	}
	for dir = filepath.Clean(dir); filepath.Base(dir) == "builds.json"; {
		dir = filepath.Dir(dir)
	}
	return place{scheme: "file", rest: dir}, nil
}

// String gives the place as a URL, secrets included.
func (p place) String() string { return p.scheme + "://" + p.rest + p.query }

// Name is a store as people see it and as it is told from others: the URL without
// credentials and without what only says how to get there, but with the S3 server
// if it isn't AWS: its own, or the one given. A directory's name is its absolute
// path. What can't be opened has a name as well.
func Name(store, endpoint string) string {
	if p, err := parse(store); err == nil {
		if name, ok := p.name(endpoint); ok {
			return name
		}
	}
	if short := withoutSecrets(store); short != store {
		return Name(short, endpoint)
	}
	return store
}

// name gives the name of a place that is a directory or a URL.
func (p place) name(endpoint string) (string, bool) {
	if p.scheme == "file" {
		return absolute(p.rest), true
	}
	u, err := url.Parse(p.scheme + "://" + p.rest)
	if err != nil || u.Hostname() == "" {
		return "", false
	}
	if p.scheme != "s3" {
		return public(u), true
	}
	if q, err := url.ParseQuery(strings.TrimPrefix(p.query, "?")); err == nil && q.Get("endpoint") != "" {
		endpoint = q.Get("endpoint")
	}
	if endpoint == "" {
		return public(u), true
	}
	// Colons and slashes need no escaping in a query, and are easier to read.
	return public(u) + "?endpoint=" + strings.NewReplacer("%3A", ":", "%2F", "/").Replace(url.QueryEscape(Name(endpoint, ""))), true
}

// public gives a URL without what must not be shown, in one form for all ways to
// write it.
func public(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Scheme == "s3" {
		host = u.Host // a bucket's name
	}
	usual := map[string]string{"http": ":80", "https": ":443"}
	clean := url.URL{Scheme: u.Scheme, Host: strings.TrimSuffix(host, usual[u.Scheme]), Path: trimEnd(u.Path)}
	return clean.String()
}

// withoutSecrets shortens what is no URL by all that may have been meant as a
// password or a signature.
func withoutSecrets(s string) string {
	scheme, rest, ok := cutScheme(s)
	if !ok {
		return s // a directory's name
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	return scheme + "://" + trimEnd(rest)
}

// absolute makes a directory's name the same from wherever it is said.
func absolute(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return dir // no current directory
	}
	return abs
}
