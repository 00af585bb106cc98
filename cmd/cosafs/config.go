package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"

	"cosafs/vfs/webui"
)

// A Config is what the flags, the environment and the configuration file say,
// in this order of weight, over the defaults. It is made once and not changed.
type Config struct {
	Workdir string        `json:"workdir"` // absolute
	Engine  string        `json:"engine"`  // compose engine: auto, rpm-ostree, dnf
	Writer  string        `json:"writer"`  // of disks: supermin, offline, auto
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

	Stores     []string      `json:"stores,omitempty"`       // URLs, in order of precedence
	Endpoint   string        `json:"endpoint-url,omitempty"` // of S3; "" = what the AWS configuration says
	AWSConfig  string        `json:"aws-config-file,omitempty"`
	Anonymous  bool          `json:"anonymous,omitempty"` // ask S3 without credentials
	CA         string        `json:"ca,omitempty"`        // file of certificates that are trusted, too
	Timeout    time.Duration `json:"timeout"`             // longest silence of a store; nanoseconds
	Refresh    time.Duration `json:"refresh"`             // how often stores are asked what is new; nanoseconds
	CacheSize  int64         `json:"cache-size"`          // bytes
	VerifyWhen string        `json:"verify"`              // complete, open
	Offline    bool          `json:"offline,omitempty"`   // ask no store

	Serve webui.ServeRequest `json:"serve"` // of remote doors; the address is the command's

	named bool              // the workdir was named, not found
	given map[string]string // settings that are not what they are by default
}

// globalFlags are the options that every command takes.
func globalFlags() []cli.Flag {
	var flags []cli.Flag
	for _, s := range settings() {
		flags = append(flags, s.flag())
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
	cfg := Config{JSON: c.Bool("json"), Quiet: c.Bool("quiet"), Verbose: c.Bool("verbose"), given: map[string]string{}}
	for _, s := range allSettings() {
		value, from := p.value(c, file, s)
		value = s.absolute(value)
		if err := s.set(&cfg, value); err != nil {
			return usagef("", "%s: %v", from, err)
		}
		if value != s.fallback {
			cfg.given[s.name] = value
		}
	}
	p.cfg = cfg
	return p.findWorkdir()
}

// value gives what weighs most for a setting, and who said it.
func (p *program) value(c *cli.Context, file map[string]string, s setting) (value, from string) {
	value, from = s.fallback, "default"
	if v, ok := file[s.name]; ok {
		value, from = v, "configuration file"
	}
	if v := p.getenv(s.env()); v != "" {
		value, from = v, s.env()
	}
	if c.IsSet(s.name) {
		value, from = s.flagValue(c), "--"+s.name
	}
	return value, from
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
	for _, s := range allSettings() {
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
