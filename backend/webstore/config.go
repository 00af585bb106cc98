package webstore

import (
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"
)

// A Config says where a store is and how to reach it.
type Config struct {
	URL    string // http(s)://HOST/PATH: the directory that holds builds.json
	CAFile string // PEM file of authorities to trust as well as the system's
	Netrc  string // file of passwords by host; "" = ~/.netrc, if there is one
	Bearer string // token that is sent to the store's host, and to no other
	// Timeout is the longest silence of the server; 0 = 60 s.
	Timeout  time.Duration
	Parallel int // requests worth running at once; 0 = 16
}

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	if c.Parallel == 0 {
		c.Parallel = 16
	}
	return c
}

// root gives the URL of the directory, without a slash at its end.
func (c Config) root() (*url.URL, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("store: %w: %w", fs.ErrInvalid, err)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, fmt.Errorf("store %q: it is not http(s)://HOST/PATH: %w", c.URL, fs.ErrInvalid)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("store %q: only a path may follow the host: %w", c.URL, fs.ErrInvalid)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}
