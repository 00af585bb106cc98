package webstore

import (
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"cosafs/backend"
)

// parseRoot reads a store's URL. Errors do not repeat it: it may hold a password.
func parseRoot(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the store's URL has a character that it must not have: %w", fs.ErrInvalid)
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return nil, fmt.Errorf("the store's URL is not https://HOST/PATH or http://HOST/PATH: %w", fs.ErrInvalid)
	case u.Fragment != "":
		return nil, fmt.Errorf("%s: a store's URL has no part after #: %w", publicName(u), fs.ErrInvalid)
	}
	raw := strings.TrimRight(u.EscapedPath(), "/")
	if u.Path, err = url.PathUnescape(raw); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", publicName(u), fs.ErrInvalid, err)
	}
	u.RawPath = raw
	return u, nil
}

// publicName gives a URL without what must not be shown.
func publicName(u *url.URL) string {
	public := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return strings.TrimRight(public.String(), "/")
}

// address gives the URL of an object.
func (s *Store) address(key backend.Key) *url.URL {
	u := *s.root
	u.RawPath = s.root.EscapedPath() + "/" + escape(key)
	u.Path = s.root.Path + "/" + string(key)
	return &u
}

// escape escapes all that is not plain. S3 reads a bare plus in a path as a space,
// which nobody else does.
func escape(key backend.Key) string {
	parts := strings.Split(string(key), "/")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(part), "+", "%2B")
	}
	return strings.Join(parts, "/")
}
