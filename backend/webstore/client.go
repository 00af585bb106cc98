package webstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cosafs/backend/internal/httplink"
)

// maxRedirects is how often one request may be sent on.
const maxRedirects = 10

// newTransport sets up the connections of one store. They are kept for reuse by
// as many requests as may run at once, and a few more. Each carries one answer at
// a time (HTTP/1.1): where ranges share one connection, as with HTTP/2, they
// share its window, and a silent one hides behind the others.
func newTransport(cfg Config) (*http.Transport, error) {
	roots, err := httplink.Authorities(cfg.CAFile)
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           httplink.Dial(min(httplink.DialTimeout, cfg.Timeout), cfg.Timeout),
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:   httplink.DialTimeout,
		ResponseHeaderTimeout: cfg.Timeout,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   cfg.Parallel + 4,
		DisableCompression:    true,
	}, nil
}

// newClient gives a client that logs in at root's server.
func newClient(tr http.RoundTripper, root *url.URL, login string) *http.Client {
	if login != "" {
		tr = &loggedIn{RoundTripper: tr, root: root, login: login}
	}
	return &http.Client{Transport: tr, CheckRedirect: follow}
}

// loggedIn sends credentials to one server only, wherever requests are redirected.
type loggedIn struct {
	http.RoundTripper
	root  *url.URL
	login string // value of the header
}

// RoundTrip implements [http.RoundTripper].
func (l *loggedIn) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == l.root.Scheme && strings.EqualFold(req.URL.Host, l.root.Host) {
		req = req.Clone(req.Context()) // a RoundTripper must not change what it is given
		req.Header.Set("Authorization", l.login)
	}
	return l.RoundTripper.RoundTrip(req)
}

// errDirectory means that a server adds a slash to the name asked for: that is how
// servers say that it is a directory's, and so no object's.
var errDirectory = fmt.Errorf("the server has a directory of that name: %w", fs.ErrNotExist)

// follow decides on a redirect. The headers that say what is asked for go along.
func follow(req *http.Request, via []*http.Request) error {
	switch last := via[len(via)-1].URL; {
	case req.URL.Path == last.Path+"/" && req.URL.Scheme == last.Scheme && req.URL.Host == last.Host && req.URL.RawQuery == last.RawQuery:
		return errDirectory // anything else may be a way to log in
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case req.URL.Scheme == "http" && via[0].URL.Scheme == "https":
		return errors.New("a redirect from https to http, where anybody could change what is read")
	}
	req.Header.Del("Referer") // it has the query of the URL, which may be a secret
	return nil
}
