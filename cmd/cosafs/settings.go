package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// A setting is one value that flag, environment and file can give.
type setting struct {
	name, usage, fallback string
	aliases               []string
	form                  form
	path                  bool // it names files, which may be relative to the current directory
	set                   func(c *Config, value string) error
}

// A form says how a setting is given on the command line.
type form int

const (
	word  form = iota // --name VALUE
	yesno             // --name
	words             // --name VALUE, as often as wanted; separated by spaces elsewhere
)

// env is the setting's environment variable.
func (s setting) env() string {
	return "COSAFS_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

// flag is the setting's option.
func (s setting) flag() cli.Flag {
	usage := s.usage + " [" + s.env() + "]"
	switch s.form {
	case yesno:
		return &cli.BoolFlag{Name: s.name, Aliases: s.aliases, Usage: usage}
	case words:
		return &cli.StringSliceFlag{Name: s.name, Aliases: s.aliases, Usage: usage}
	default:
		return &cli.StringFlag{Name: s.name, Aliases: s.aliases, Usage: usage, DefaultText: s.fallback}
	}
}

// flagValue is what the option was given.
func (s setting) flagValue(c *cli.Context) string {
	switch s.form {
	case yesno:
		return strconv.FormatBool(c.Bool(s.name))
	case words:
		return strings.Join(c.StringSlice(s.name), " ")
	default:
		return c.String(s.name)
	}
}

// absolute gives a value that means the same in another directory: a daemon works
// in one of its own.
func (s setting) absolute(value string) string {
	if !s.path || value == "" {
		return value
	}
	all := []string{value}
	if s.form == words {
		all = strings.Fields(value)
	}
	for i, v := range all {
		label, place := cutLabel(v)
		if abs, err := filepath.Abs(place); err == nil && !strings.Contains(place, "://") {
			place = abs
		}
		if label != "" {
			place = label + "=" + place
		}
		all[i] = place
	}
	return strings.Join(all, " ")
}

// args spells a value as options.
func (s setting) args(value string) []string {
	switch s.form {
	case yesno:
		return []string{"--" + s.name + "=" + value}
	case words:
		var args []string
		for _, v := range strings.Fields(value) {
			args = append(args, "--"+s.name, v)
		}
		return args
	default:
		return []string{"--" + s.name, value}
	}
}

// allSettings are those of every command, and those of the commands that open
// remote doors.
func allSettings() []setting { return slices.Concat(settings(), serveSettings()) }

// settings is the list of those that every command takes.
func settings() []setting {
	return []setting{
		{name: "workdir", aliases: []string{"C"}, usage: "build directory `DIR` (default: the nearest one upwards, else this one)",
			set: func(c *Config, v string) error { c.Workdir = v; return nil }},
		{name: "engine", fallback: "auto", usage: "compose with `ENGINE`: auto, rpm-ostree, dnf",
			set: func(c *Config, v string) error { return oneOf(&c.Engine, v, "auto", "rpm-ostree", "dnf") }},
		{name: "writer", fallback: "supermin", usage: "write disks by `WRITER`: supermin, offline (ext4 alone, without a virtual machine), auto",
			set: func(c *Config, v string) error { return oneOf(&c.Writer, v, "supermin", "offline", "auto") }},
		{name: "arch", usage: "look at builds for architecture `ARCH` (default: this machine's)",
			set: func(c *Config, v string) error { c.Arch = v; return nil }},
		{name: "kvm", fallback: "auto", usage: "use KVM `WHEN`: auto, off; on trusts it unproven in cosafs run",
			set: func(c *Config, v string) error { return oneOf(&c.KVM, v, "auto", "on", "off") }},
		{name: "vms", fallback: "0", usage: "`N` virtual machines at once; 0 is what suits this machine", set: setVMs},
		{name: "linger", fallback: "10s", usage: "a job of the mount goes on for `TIME` when nobody waits for it",
			set: func(c *Config, v string) error { return setDuration(&c.Linger, v) }},
		{name: "deadline", fallback: "1h", usage: "an open that makes something ends with an error after `TIME`; 0s is never",
			set: func(c *Config, v string) error { return setDuration(&c.Deadline, v) }},
		{name: "lockwait", fallback: "30s", usage: "wait `TIME` for another program's lock of builds.json or meta.json",
			set: func(c *Config, v string) error { return setDuration(&c.LockWait, v) }},
		{name: "container", usage: "compose with rpm-ostree of container image `IMAGE`, by podman",
			set: func(c *Config, v string) error { c.Container = v; return nil }},
		{name: "store", form: words, path: true, usage: "show builds of `URL`, too: s3://BUCKET/PREFIX, https://HOST/PATH, a directory; the first that has a build gives it",
			set: func(c *Config, v string) error { return setStores(c, v) }},
		{name: "offline", form: yesno, usage: "ask no store: what is in the cache can be read",
			set: func(c *Config, v string) error { return setBool(&c.Offline, v) }},
		{name: "refresh", fallback: "1m0s", usage: "ask the stores every `TIME` what is new",
			set: func(c *Config, v string) error { return setDuration(&c.Refresh, v) }},
		{name: "cache-size", fallback: "20G", usage: "keep at most `SIZE` of what was read from stores",
			set: func(c *Config, v string) error { return setSize(&c.CacheSize, v) }},
		{name: "verify", fallback: "complete", usage: "check sha256 `WHEN`: complete (when all of a file was read), open (before anything is)",
			set: func(c *Config, v string) error { return oneOf(&c.VerifyWhen, v, "complete", "open") }},
		{name: "timeout", fallback: "30s", usage: "a store that is silent for `TIME` does not answer",
			set: func(c *Config, v string) error { return setDuration(&c.Timeout, v) }},
		{name: "endpoint-url", usage: "S3 is at `URL` (default: what the AWS configuration says)",
			set: func(c *Config, v string) error { c.Endpoint = v; return nil }},
		{name: "aws-config-file", path: true, usage: "read AWS settings from `FILE`",
			set: func(c *Config, v string) error { c.AWSConfig = v; return nil }},
		{name: "anonymous", form: yesno, usage: "ask S3 without credentials",
			set: func(c *Config, v string) error { return setBool(&c.Anonymous, v) }},
		{name: "ca", path: true, usage: "trust the certificates in `FILE`, too",
			set: func(c *Config, v string) error { c.CA = v; return nil }},
	}
}

// setStores reads URLs, each of which may have a name for its folder: NAME=URL.
func setStores(c *Config, v string) error {
	c.Stores = nil
	for _, given := range strings.Fields(v) {
		_, url := cutLabel(given)
		c.Stores = append(c.Stores, url)
	}
	return nil
}

func setBool(to *bool, v string) error {
	b, err := strconv.ParseBool(v)
	if v == "" {
		b, err = false, nil
	}
	if err != nil {
		return fmt.Errorf("%q is neither true nor false: %w", v, fs.ErrInvalid)
	}
	*to = b
	return nil
}

// setSize reads bytes, with a suffix K, M, G or T for powers of 1024.
func setSize(to *int64, v string) error {
	number, shift := v, 0
	if i := strings.IndexByte("KMGT", last(v)); i >= 0 {
		number, shift = v[:len(v)-1], 10*(i+1)
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n<<shift>>shift != n {
		return fmt.Errorf("%q is not a size such as 500M or 20G: %w", v, fs.ErrInvalid)
	}
	*to = n << shift
	return nil
}

// last is the last byte of a word, 0 for none.
func last(s string) byte {
	if s == "" {
		return 0
	}
	return s[len(s)-1]
}

func oneOf(to *string, v string, known ...string) error {
	for _, k := range known {
		if v == k {
			*to = v
			return nil
		}
	}
	return fmt.Errorf("%q is none of %s: %w", v, strings.Join(known, ", "), fs.ErrInvalid)
}

func setVMs(c *Config, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a number from 0 up: %w", v, fs.ErrInvalid)
	}
	c.VMs = n
	return nil
}

func setDuration(to *time.Duration, v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 {
		return fmt.Errorf("%q is not a time such as 30s or 10m: %w", v, fs.ErrInvalid)
	}
	*to = d
	return nil
}
