// Package stores turns what a person types for a store into a [backend.Store]:
// s3://BUCKET/PREFIX, https://HOST/PATH, or a directory.
package stores

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"cosafs/backend"
	"cosafs/backend/dirstore"
	"cosafs/backend/s3store"
	"cosafs/backend/webstore"
)

// forms are what a store may be called.
const forms = "a store is s3://BUCKET/PREFIX, https://HOST/PATH, file:///PATH or a directory, the one that holds builds.json"

// A Config says how to reach stores. What a URL says of itself weighs more.
type Config struct {
	Endpoint, Region, Profile string // of S3; "" = where the AWS programs find them
	AWSConfigFile             string
	ACL, StatePrefix          string // of what is written to S3
	Checksum, JournalDir      string // of uploads to S3
	Anonymous, PathStyle      bool
	SinglePublisher           bool // accept a store that ignores conditions

	CAFile string // PEM file of authorities to trust as well as the system's
	// Netrc is the file with passwords for https; "" = the one that NETRC names in the
	// environment, else ~/.netrc if it can be read.
	Netrc   string
	Bearer  string // token for https; it is sent to each such store's own host
	Timeout time.Duration
	Retry   backend.Policy // of stores that are reached over a network
}

// Open opens the store at url and asks it nothing. Slashes at the end and the name
// builds.json are taken off; a working directory stands for its builds. What
// fails by mishap in a store that is far is tried again.
//
// A URL that can't be understood is fs.ErrInvalid, a directory that is not there
// fs.ErrNotExist. No error repeats a password.
func Open(ctx context.Context, url string, cfg Config) (backend.Store, error) {
	p, err := parse(url)
	if err != nil {
		return nil, err
	}
	var s backend.Store
	switch p.scheme {
	case "file":
		return OpenDir(p.rest)
	case "s3":
		s, err = openS3(ctx, p, cfg)
	case "https", "http":
		s, err = openWeb(p, cfg)
	default:
		err = fmt.Errorf("%s: %s: %w", Name(url, ""), forms, fs.ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	return backend.Retry(s, cfg.Retry), nil
}

func openS3(ctx context.Context, p place, cfg Config) (backend.Store, error) {
	c, err := s3store.ParseURL(p.String())
	if err != nil {
		return nil, err
	}
	c.Endpoint, c.Region, c.Profile = cmp.Or(c.Endpoint, cfg.Endpoint), cmp.Or(c.Region, cfg.Region), cmp.Or(c.Profile, cfg.Profile)
	c.CAFile, c.Checksum = cmp.Or(c.CAFile, cfg.CAFile), cmp.Or(c.Checksum, cfg.Checksum)
	c.ConfigFile, c.ACL, c.StatePrefix, c.Journal = cfg.AWSConfigFile, cfg.ACL, cfg.StatePrefix, cfg.JournalDir
	c.Anonymous, c.PathStyle = c.Anonymous || cfg.Anonymous, c.PathStyle || cfg.PathStyle
	c.SinglePublisher, c.Timeout = cfg.SinglePublisher, cfg.Timeout
	return s3store.Open(ctx, c)
}

func openWeb(p place, cfg Config) (backend.Store, error) {
	return webstore.Open(webstore.Config{
		URL: p.String(), CAFile: cfg.CAFile, Netrc: cmp.Or(cfg.Netrc, usualNetrc()), Bearer: cfg.Bearer, Timeout: cfg.Timeout,
	})
}

// usualNetrc gives the file of passwords that curl --netrc-optional reads, "" if
// there is none.
func usualNetrc() string {
	if named := os.Getenv("NETRC"); named != "" {
		return named
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "" // a service without a home
	}
	file := filepath.Join(home, ".netrc")
	f, err := os.Open(file)
	if err != nil {
		return "" // none, or not ours
	}
	_ = f.Close() // read only
	return file
}

// OpenDir opens a directory of builds, or the one in a working directory. One that
// is not there is fs.ErrNotExist.
func OpenDir(dir string) (backend.Store, error) {
	builds := filepath.Join(dir, "builds")
	if st, err := os.Stat(builds); err == nil && st.IsDir() {
		dir = builds
	}
	s, err := dirstore.Open(dirstore.Config{Dir: dir})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; %s", err, forms)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}
