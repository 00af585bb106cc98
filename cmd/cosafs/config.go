package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"
)

// A Config is what the flags, the environment and the configuration file say,
// in this order of weight, over the defaults. It is made once and not changed.
type Config struct {
	Workdir string        `json:"workdir"` // absolute
	Engine  string        `json:"engine"`  // compose engine: auto, rpm-ostree, dnf
	Arch    string        `json:"arch"`    // RPM basearch; "" = this machine's
	KVM     string        `json:"kvm"`     // auto, on, off
	VMs     int           `json:"vms"`     // virtual machines at once; 0 = what suits this machine
	Linger  time.Duration `json:"linger"`  // how long a job goes on when nobody waits; nanoseconds

	Container string        `json:"container"` // image that holds rpm-ostree, run with podman; "" = none
	LockWait  time.Duration `json:"lockwait"`  // how long to wait for another program's lock; nanoseconds
	Deadline  time.Duration `json:"deadline"`  // an open of the mount ends after this; 0 = never; nanoseconds
	JSON      bool          `json:"-"`
	Quiet     bool          `json:"-"`
	Verbose   bool          `json:"-"`

	named bool // the workdir was named, not found
}

// A setting is one value that flag, environment and file can give.
type setting struct {
	name, usage, fallback string
	aliases               []string
	set                   func(c *Config, value string) error
}

// env is the setting's environment variable.
func (s setting) env() string { return "COSAFS_" + strings.ToUpper(s.name) }

// settings is the one list of them.
func settings() []setting {
	return []setting{
		{name: "workdir", aliases: []string{"C"}, usage: "build directory `DIR` (default: the nearest one upwards, else this one)",
			set: func(c *Config, v string) error { c.Workdir = v; return nil }},
		{name: "engine", fallback: "auto", usage: "compose with `ENGINE`: auto, rpm-ostree, dnf",
			set: func(c *Config, v string) error { return oneOf(&c.Engine, v, "auto", "rpm-ostree", "dnf") }},
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
	}
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

// globalFlags are the options that every command takes.
func globalFlags() []cli.Flag {
	var flags []cli.Flag
	for _, s := range settings() {
		flags = append(flags, &cli.StringFlag{Name: s.name, Aliases: s.aliases, Usage: s.usage + " [" + s.env() + "]", DefaultText: s.fallback})
	}
	return append(flags,
		&cli.BoolFlag{Name: "json", Usage: "print data as JSON"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress, no notes"},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "say more"},
		&cli.StringFlag{Name: "config", Usage: "read the configuration `FILE`, YAML with the settings above (default: cosafs/config.yaml in $XDG_CONFIG_HOME) [COSAFS_CONFIG]"},
	)
}

// configure resolves the configuration before a command runs.
func (p *program) configure(c *cli.Context) error {
	file, err := p.readFile(c.String("config"))
	if err != nil {
		return err
	}
	cfg := Config{JSON: c.Bool("json"), Quiet: c.Bool("quiet"), Verbose: c.Bool("verbose")}
	for _, s := range settings() {
		value, from := s.fallback, "default"
		if v, ok := file[s.name]; ok {
			value, from = v, "configuration file"
		}
		if v := p.getenv(s.env()); v != "" {
			value, from = v, s.env()
		}
		if c.IsSet(s.name) {
			value, from = c.String(s.name), "--"+s.name
		}
		if err := s.set(&cfg, value); err != nil {
			return usagef("", "%s: %v", from, err)
		}
	}
	p.cfg = cfg
	return p.findWorkdir()
}

// readFile reads the configuration file. Only one that was asked for must exist.
func (p *program) readFile(path string) (map[string]string, error) {
	if path == "" {
		path = p.getenv("COSAFS_CONFIG")
	}
	asked := path != ""
	if !asked {
		dir := p.getenv("XDG_CONFIG_HOME")
		if dir == "" {
			dir = filepath.Join(p.getenv("HOME"), ".config")
		}
		path = filepath.Join(dir, "cosafs", "config.yaml")
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return nil, nil
	}
	if err != nil {
		return nil, hintf(fmt.Errorf("read configuration: %w", err), "name another file with --config or COSAFS_CONFIG")
	}
	return parseFile(path, data)
}

// parseFile reads the settings of a configuration file; unknown ones are refused.
func parseFile(path string, data []byte) (map[string]string, error) {
	var file map[string]string
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, usagef("", "%s: %v", path, err)
	}
	known := map[string]bool{}
	for _, s := range settings() {
		known[s.name] = true
	}
	for name := range file {
		if !known[name] {
			return nil, usagef("", "%s: unknown setting %q", path, name)
		}
	}
	return file, nil
}

// findWorkdir makes the build directory absolute; one that nobody named is the
// nearest directory upwards that looks like one, else the current one.
func (p *program) findWorkdir() error {
	p.cfg.named = p.cfg.Workdir != ""
	dir, err := filepath.Abs(p.cfg.Workdir)
	if err != nil {
		return fmt.Errorf("find build directory: %w", err)
	}
	p.cfg.Workdir = dir
	if p.cfg.named {
		return nil
	}
	for d := dir; ; d = filepath.Dir(d) {
		if isWorkdir(d) {
			p.cfg.Workdir = d
			return nil
		}
		if d == filepath.Dir(d) {
			return nil
		}
	}
}

// isWorkdir says whether dir has what cosa init makes.
func isWorkdir(dir string) bool {
	for _, name := range []string{"builds", "src/config"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}
