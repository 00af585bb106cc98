package webstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"

	"cosafs/backend"
)

// ask sends one request. want is the version that is asked for, "" for any.
func (s *Store) ask(ctx context.Context, method string, key backend.Key, bytes, want string) (*http.Response, error) {
	u := s.root.JoinPath(escaped(key)...)
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	s.login.apply(req)
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "cosafs")
	if bytes != "" {
		req.Header.Set("Range", bytes)
	}
	if strings.HasPrefix(want, `"`) {
		req.Header.Set("If-Match", want)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, mishap(ctx, err)
	}
	return res, nil
}

// escaped gives the parts of a key as parts of a URL.
func escaped(key backend.Key) []string {
	parts := strings.Split(string(key), "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return parts
}

// mishap is an error for which there was no answer: it is ctx's, or none of the
// sentinels, whatever a firewall or a cut connection makes it look like.
func mishap(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errDirectory):
		return errDirectory
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the text has the URL, which the caller says
	}
	if backend.Final(err) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New(err.Error())
	}
	return err
}

// check says what an answer without the object means.
func check(res *http.Response, key backend.Key) error {
	switch res.StatusCode {
	case http.StatusOK, http.StatusPartialContent:
		return checkBody(res, key)
	case http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("the server answers %s: %w", res.Status, fs.ErrNotExist)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("the server answers %s; it may not tell whether there is such a file: %w", res.Status, fs.ErrPermission)
	case http.StatusProxyAuthRequired:
		return fmt.Errorf("the proxy answers %s; give name and password in HTTPS_PROXY", res.Status)
	case http.StatusPreconditionFailed:
		return backend.ErrChanged
	case http.StatusRequestedRangeNotSatisfiable:
		return backend.ErrRange
	default:
		return fmt.Errorf("the server answers %s", res.Status)
	}
}

// checkBody refuses what is not the file as it is stored.
func checkBody(res *http.Response, key backend.Key) error {
	if e := res.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		// cosa's --enable-gz-peel stores files so; their sizes and digests are of
		// something else.
		return fmt.Errorf("the server gives the file encoded as %s, which was not asked for", e)
	}
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	if ext := path.Ext(string(key)); kind == "text/html" && ext != ".html" && ext != ".htm" {
		return fmt.Errorf("the server gives a web page: something between here and there may want you to log in")
	}
	return nil
}
