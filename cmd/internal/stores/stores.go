// Package stores turns what a person types for a store into a [backend.Store]:
// s3://BUCKET/PREFIX, https://HOST/PATH, or a directory.
package stores

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cosafs/backend"
	"cosafs/backend/dirstore"
	"cosafs/backend/s3store"
	"cosafs/backend/webstore"
)

// A Config says how to reach stores. What a URL says of itself weighs more.
type Config struct {
	Endpoint, Region, Profile string // of S3; "" = where the AWS programs find them
	AWSConfigFile             string
	ACL, StatePrefix          string // of what is written to S3
	Checksum, JournalDir      string // of uploads to S3
	Anonymous, PathStyle      bool
	SinglePublisher           bool // accept a store that ignores conditions

	CAFile        string // PEM file of authorities to trust as well as the system's
	Netrc, Bearer string // credentials for https
	Timeout       time.Duration
	Retry         backend.Policy
}

// Open opens the store at url and asks it nothing. What fails by mishap there is
// tried again. A URL that can't be understood is fs.ErrInvalid.
func Open(ctx context.Context, url string, cfg Config) (backend.Store, error) {
	url = trim(url)
	var s backend.Store
	var err error
	switch scheme, rest, ok := strings.Cut(url, "://"); {
	case !ok:
		return openDir(url)
	case scheme == "file":
		return openDir(rest)
	case scheme == "s3":
		s, err = openS3(ctx, url, cfg)
	case scheme == "https", scheme == "http":
		s, err = webstore.Open(webstore.Config{URL: url, CAFile: cfg.CAFile, Netrc: cfg.Netrc, Bearer: cfg.Bearer, Timeout: cfg.Timeout})
	default:
		err = fmt.Errorf("%s: a store is s3://BUCKET/PREFIX, https://HOST/PATH or a directory: %w", url, fs.ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	return backend.Retry(s, cfg.Retry), nil
}

func openS3(ctx context.Context, url string, cfg Config) (backend.Store, error) {
	c, err := s3store.ParseURL(url)
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		own  *string
		from string
	}{{&c.Endpoint, cfg.Endpoint}, {&c.Region, cfg.Region}, {&c.Profile, cfg.Profile}, {&c.CAFile, cfg.CAFile}, {&c.Checksum, cfg.Checksum}} {
		if *f.own == "" {
			*f.own = f.from
		}
	}
	c.ConfigFile, c.ACL, c.StatePrefix, c.Journal = cfg.AWSConfigFile, cfg.ACL, cfg.StatePrefix, cfg.JournalDir
	c.Anonymous, c.PathStyle = c.Anonymous || cfg.Anonymous, c.PathStyle || cfg.PathStyle
	c.SinglePublisher, c.Timeout = cfg.SinglePublisher, cfg.Timeout
	return s3store.Open(ctx, c)
}

// openDir opens a directory of builds, or the one in a working directory.
func openDir(dir string) (backend.Store, error) {
	builds := filepath.Join(dir, "builds")
	if st, err := os.Stat(builds); err == nil && st.IsDir() {
		dir = builds
	}
	return dirstore.Open(dirstore.Config{Dir: dir})
}

// trim takes off what people copy along: slashes at the end, and builds.json.
func trim(url string) string {
	url, query, found := strings.Cut(url, "?")
	url = strings.TrimRight(url, "/")
	url = strings.TrimRight(strings.TrimSuffix(url, "/builds.json"), "/")
	if found {
		return url + "?" + query
	}
	return url
}

// Name is a store as people see it and as it is told from others: the URL without
// credentials and without what only says how to get there, but with the S3 server
// if it isn't AWS: its own, or the one given.
func Name(store, endpoint string) string {
	store = trim(store)
	u, err := url.Parse(store)
	if err != nil || u.Scheme == "" || u.Scheme == "file" {
		return absolute(strings.TrimPrefix(store, "file://"))
	}
	endpoint = cmp.Or(u.Query().Get("endpoint"), endpoint)
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	if u.Scheme == "s3" && endpoint != "" {
		u.RawQuery = url.Values{"endpoint": {endpoint}}.Encode()
	}
	return u.String()
}

// absolute makes a directory's name the same from wherever it is said.
func absolute(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return dir // no current directory
	}
	return abs
}
