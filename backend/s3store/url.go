package s3store

import (
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// urlKeys are what may follow the question mark of a store's URL.
func urlKeys() map[string]func(*Config, string) error {
	text := func(field func(*Config) *string) func(*Config, string) error {
		return func(c *Config, v string) error { *field(c) = v; return nil }
	}
	flag := func(field func(*Config) *bool) func(*Config, string) (err error) {
		return func(c *Config, v string) (err error) { *field(c), err = strconv.ParseBool(v); return err }
	}
	return map[string]func(*Config, string) error{
		"endpoint":   text(func(c *Config) *string { return &c.Endpoint }),
		"region":     text(func(c *Config) *string { return &c.Region }),
		"profile":    text(func(c *Config) *string { return &c.Profile }),
		"ca":         text(func(c *Config) *string { return &c.CAFile }),
		"checksum":   text(func(c *Config) *string { return &c.Checksum }),
		"anonymous":  flag(func(c *Config) *bool { return &c.Anonymous }),
		"path-style": flag(func(c *Config) *bool { return &c.PathStyle }),
	}
}

// ParseURL reads s3://BUCKET/PREFIX, optionally followed by
// ?endpoint=URL&region=R&profile=P&anonymous=1&path-style=1&ca=FILE&checksum=C.
// Slashes around PREFIX mean nothing. What it does not know is fs.ErrInvalid.
func ParseURL(s string) (Config, error) {
	c, err := parseURL(s)
	if err != nil {
		return Config{}, fmt.Errorf("store %q: %w", s, err)
	}
	return c, nil
}

func parseURL(s string) (Config, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return Config{}, fmt.Errorf("%w: %w", fs.ErrInvalid, err)
	case u.Scheme != "s3":
		return Config{}, fmt.Errorf("%w: it does not start with s3://", fs.ErrInvalid)
	case u.User != nil || u.Fragment != "" || u.Opaque != "":
		return Config{}, fmt.Errorf("%w: only s3://BUCKET/PREFIX?OPTION=VALUE is understood", fs.ErrInvalid)
	}
	c := Config{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/")}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w", fs.ErrInvalid, err)
	}
	if err := c.options(query); err != nil {
		return Config{}, err
	}
	return c, c.check()
}

// options sets what the query of a URL says.
func (c *Config) options(query url.Values) error {
	known := urlKeys()
	for key, values := range query {
		set := known[key]
		if set == nil {
			names := slices.Sorted(maps.Keys(known))
			return fmt.Errorf("%w: unknown option %q, there are %s", fs.ErrInvalid, key, strings.Join(names, ", "))
		}
		if len(values) != 1 {
			return fmt.Errorf("%w: option %s is given %d times", fs.ErrInvalid, key, len(values))
		}
		if err := set(c, values[0]); err != nil {
			return fmt.Errorf("%w: option %s: %w", fs.ErrInvalid, key, err)
		}
	}
	return nil
}
