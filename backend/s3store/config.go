package s3store

import (
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"
	"time"

	"cosafs/backend"
)

// A Config says where a store is and how to reach it. Bucket is needed; what else
// is zero comes from where the AWS programs have it, or takes the value named.
type Config struct {
	Bucket string
	Prefix string // of all keys, without slashes at its ends; below it lies builds.json

	Endpoint   string // URL of an S3-compatible server; "" = the SDK's chain, in the end AWS
	Region     string // "" = the SDK's chain, in the end us-east-1
	Profile    string // in AWS's configuration files
	ConfigFile string // AWS configuration file, cosa's --aws-config-file
	// PathStyle puts the bucket into the path instead of the host name. A custom
	// endpoint implies it: few have a DNS name for each bucket.
	PathStyle bool
	Anonymous bool   // sign nothing, read what is public
	CAFile    string // PEM file of authorities to trust as well as the system's

	ACL string // canned ACL of what is written, cosa: "private"; "" = none is sent
	// StatePrefix is the prefix in the bucket for what is no part of the builds:
	// what probes write. "" = .cosafs beside Prefix.
	StatePrefix string
	// SinglePublisher says that no other process writes to the store. Then a
	// store that ignores conditions will do: conditional writes of this process
	// follow one another there, each after a look at what is stored.
	SinglePublisher bool
	// Checksum is what the store checks transfers with: "crc64nvme", "crc32", or
	// "none" for stores that know neither; "" = crc64nvme.
	Checksum string
	// Journal is a directory for notes on multipart uploads, with which a later
	// Put of the same bytes goes on where an earlier one ended. "" = no notes.
	Journal string

	Timeout  time.Duration // longest silence of the server; 0 = 60 s
	Parallel int           // requests worth running at once; 0 = 16
}

func (c Config) withDefaults() Config {
	if c.StatePrefix == "" {
		c.StatePrefix = path.Join(path.Dir(c.Prefix), ".cosafs")
	}
	if c.Checksum == "" {
		c.Checksum = "crc64nvme"
	}
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	if c.Parallel == 0 {
		c.Parallel = 16
	}
	return c
}

// check refuses what could not be sent, or would be sent somewhere else.
func (c Config) check() error {
	if c.Bucket == "" || strings.ContainsAny(c.Bucket, "/?#%@: \x00") {
		return fmt.Errorf("bucket %q: %w", c.Bucket, fs.ErrInvalid)
	}
	for _, prefix := range []string{c.Prefix, c.StatePrefix} {
		if err := backend.Key(prefix).CheckPrefix(); err != nil {
			return fmt.Errorf("prefix: %w", err)
		}
	}
	if c.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("endpoint %q is not https://HOST or http://HOST: %w", c.Endpoint, fs.ErrInvalid)
	}
	return nil
}
