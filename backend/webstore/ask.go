package webstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"

	"cosafs/backend"
)

// ask sends a request for an object, with headers added. Whoever calls it closes
// the answer's body.
func (s *Store) ask(ctx context.Context, method string, key backend.Key, add http.Header) (*http.Response, error) {
	req := (&http.Request{Method: method, URL: s.address(key), Header: http.Header{}}).WithContext(ctx)
	req.Header.Set("Accept-Encoding", "identity") // ranges, sizes and digests are of the file itself
	req.Header.Set("User-Agent", "cosafs")        // some guards of servers refuse Go's
	for name, values := range add {
		req.Header[name] = values
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, mishap(ctx, err)
	}
	return res, nil
}

// leave closes the body of an answer that is not read further. A little is read
// all the same: a connection at the end of its answer can be used again.
func leave(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // it is of no interest
	_ = res.Body.Close()
}

// mishap makes the error of a request without an answer what a Store gives: that
// of ctx, or none of the sentinels. A firewall's EACCES is not the server's word,
// nor is a time-out of the connection one of ctx. The URL goes from the text, as its
// query may be secret.
func mishap(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if full, ok := errors.AsType[*url.Error](err); ok {
		err = full.Err
	}
	if errors.Is(err, errDirectory) {
		return err
	}
	if backend.Final(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return errors.New(err.Error())
	}
	return err
}

// check says why an answer does not hold what was asked for; nil if it does.
func check(res *http.Response, key backend.Key) error {
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode != http.StatusOK && res.StatusCode != http.StatusPartialContent:
		return refusal(res)
	case err == nil && kind == "text/html" && !isPage(key):
		return fmt.Errorf("%s answers with a web page in place of the file: perhaps a login, of the site or of this network", who(res))
	}
	return encoded(res, key)
}

// refusal says what another status than success means. One that is no clear
// answer is a mishap.
func refusal(res *http.Response) error {
	err := fmt.Errorf("%s answers %s", who(res), res.Status)
	switch res.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("%w: %w", err, fs.ErrNotExist)
	case http.StatusUnauthorized:
		return fmt.Errorf("%w; give it a token, or a password in ~/.netrc: %w", err, fs.ErrPermission)
	case http.StatusForbidden:
		return fmt.Errorf("%w, as many servers do whether there is such a file or not; check the URL and the credentials: %w", err, fs.ErrPermission)
	case http.StatusProxyAuthRequired:
		return fmt.Errorf("the proxy wants a password, put it into HTTPS_PROXY or HTTP_PROXY: %w", fs.ErrPermission)
	case http.StatusPreconditionFailed:
		return fmt.Errorf("%w: %w", err, backend.ErrChanged)
	case http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("%w: %w", err, backend.ErrRange)
	}
	return err
}

// who names the server that answered.
func who(res *http.Response) string {
	if res.Request.Response != nil { // the redirect that led there
		return res.Request.URL.Host + ", to which the server redirects,"
	}
	return "the server"
}

// isPage says whether a key may well be a web page.
func isPage(key backend.Key) bool {
	ext := strings.ToLower(path.Ext(string(key)))
	return ext == ".html" || ext == ".htm"
}

// encoded refuses a body that is compressed on the way, or stored so under the name
// of what it is compressed from (cosa's buildupload --enable-gz-peel): its length
// and its ranges are not those of the file. A server that says so of a file that
// is compressed itself gives that file (Apache's "AddEncoding x-gzip .gz").
func encoded(res *http.Response, key backend.Key) error {
	coding := strings.ToLower(strings.TrimSpace(res.Header.Get("Content-Encoding")))
	own := map[string]string{"gzip": ".gz", "x-gzip": ".gz", "zstd": ".zst", "xz": ".xz", "x-xz": ".xz", "br": ".br"}
	if ext := own[coding]; coding == "" || coding == "identity" || ext != "" && path.Ext(string(key)) == ext {
		return nil
	}
	return fmt.Errorf("%s gives it compressed (Content-Encoding: %s), though asked for the file as it is; "+
		"have it stored under a name that says so, or the server not compress it: %w", who(res), coding, errors.ErrUnsupported)
}
