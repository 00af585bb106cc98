// Package workdir joins the parts of cosafs over one coreos-assembler working
// directory: the records in builds/ (index over dirstore), the engines that
// make commits and disks, and the runner that does each piece of work once.
// [Workdir] is what the program talks to: it is a [webui.Service] for commands,
// and its Library is what doors show.
package workdir

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"cosafs/materialize"
	"cosafs/materialize/compose"
	"cosafs/materialize/disk"
	"cosafs/vfs/webui"
)

// A Config says which working directory and how to work in it. Only Dir is
// needed.
type Config struct {
	Dir       string        // the working directory, which holds builds/ and src/
	State     string        // where cosafs keeps its own state; "" = cache/cosafs in Dir
	Frozen    error         // why nothing can be made or changed in Dir; nil = it can. What is there can be read
	Engine    string        // "rpm-ostree", "dnf", or "" for rpm-ostree where it is installed, else dnf
	Writer    string        // of disks, as in disk.Config; "" = a virtual machine
	Container string        // image that holds rpm-ostree, run with podman; "" = this machine's
	Arch      string        // RPM basearch; "" = this machine's
	Program   string        // the cosafs binary that runs inside the VM; "" = this program
	VMs       int           // virtual machines at a time; 0 = a default for this machine
	Memory    int           // MiB of a virtual machine; 0 = default
	Linger    time.Duration // how long a job goes on after its last waiter left
	Lock      time.Duration // how long to wait for a lock of cosa's; 0 = default
	Version   string        // of the program
	Logger    *slog.Logger  // nil = discard
}

// A Workdir is an open working directory. Close it.
type Workdir struct {
	cfg     Config
	root    string // absolute path of the working directory
	records *records
	runner  *materialize.Runner
	maker   *materialize.Maker
	tree    *tree
	handles handles
	ctx     context.Context // ends with Close: of looks that no caller's context covers
	cancel  context.CancelFunc
	started time.Time
}

var _ webui.Service = (*Workdir)(nil)

// Open opens a working directory, finishes what a killed process left half
// done, and clears away what it left behind. A directory that is no working
// directory is fs.ErrNotExist with a hint.
func Open(ctx context.Context, cfg Config) (*Workdir, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := check(cfg.Dir); err != nil {
		return nil, err
	}
	w := &Workdir{cfg: cfg, root: cfg.Dir, started: time.Now()}
	w.ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := w.assemble(); err != nil {
		w.cancel()
		return nil, err
	}
	if err := w.recover(ctx); err != nil {
		return nil, errors.Join(err, w.Close(context.WithoutCancel(ctx)))
	}
	return w, nil
}

func (c Config) withDefaults() (Config, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return c, err
	}
	c.Dir = dir
	if c.State == "" {
		c.State = filepath.Join(dir, "cache", "cosafs")
	}
	if c.Arch == "" {
		c.Arch = Basearch()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// Basearch is this machine's architecture as RPM calls it.
func Basearch() string {
	names := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64"}
	if a, ok := names[runtime.GOARCH]; ok {
		return a
	}
	return runtime.GOARCH
}

// check says clearly what is wrong with a directory that can't be worked in.
func check(dir string) error {
	st, err := os.Stat(filepath.Join(dir, "builds"))
	if err == nil && !st.IsDir() {
		err = fmt.Errorf("%s is not a directory", filepath.Join(dir, "builds"))
	}
	if err != nil {
		return materialize.Fail(materialize.ClassConfig, "open "+dir,
			"make it a working directory with: cosafs init CONFIG, or name one with --workdir", err)
	}
	return nil
}

// StateDir is where cosafs keeps its own state; losing it costs time only.
func (w *Workdir) StateDir() string { return w.cfg.State }

// scratchDir is where jobs write: on the file system of builds/, so that
// publishing is a rename.
func (w *Workdir) scratchDir() string {
	if w.cfg.Frozen != nil {
		return filepath.Join(w.StateDir(), "tmp") // no job will use it
	}
	return filepath.Join(w.root, "tmp", "cosafs")
}

// assemble builds the parts and wires them; nothing is started.
func (w *Workdir) assemble() error {
	var err error
	if w.records, err = newRecords(w.root, w.cfg); err != nil {
		return err
	}
	w.runner, err = materialize.NewRunner(materialize.RunnerConfig{
		StateDir: w.StateDir(), ScratchDir: w.scratchDir(), VMs: w.cfg.VMs, Log: w.cfg.Logger,
	})
	if err != nil {
		return err
	}
	variant, err := readVariant(w.root)
	if err != nil {
		return err
	}
	w.maker = w.newMaker(variant)
	w.tree = newTree(w.records)
	w.records.onChange = w.look
	return nil
}

func (w *Workdir) newMaker(variant string) *materialize.Maker {
	cfg := compose.Config{
		Workdir: w.root, Arch: w.cfg.Arch, Container: w.cfg.Container,
		Manifest: filepath.Join(w.root, "src", "config", variantFile("manifest", variant)),
	}.WithDefaults()
	commits := compose.NewOSTree(cfg)
	config := materialize.ConfigDir{Dir: cfg.Dir, Overrides: cfg.Overrides, Variant: variant}
	if git := filepath.Join(w.root, "src", "config-git"); isDir(git) {
		config.GitDir = git
	}
	disks := disk.New(disk.Config{
		ConfigDir: cfg.Dir, Image: variantFile("image", variant), CacheDir: filepath.Join(w.StateDir(), "appliance"), Program: w.cfg.Program,
		Memory: w.cfg.Memory, Writer: w.cfg.Writer, Version: w.cfg.Version,
	})
	return &materialize.Maker{
		Frozen:   w.cfg.Frozen,
		Composer: w.composer(cfg),
		Commits:  commits,
		Disks:    disks, Live: disks,
		Records: w.records, Packer: packer{}, Runner: w.runner, Config: config,
		Arch: w.cfg.Arch, StateDir: w.StateDir(), Linger: w.cfg.Linger, Version: w.cfg.Version,
	}
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// recover finishes publishing what was being published, and clears away what
// dead processes left. Records that can't be read or finished now are told of,
// and asked again by whoever needs them: they must not keep the rest from use.
func (w *Workdir) recover(ctx context.Context) error {
	if _, err := w.runner.Recover(ctx); err != nil {
		return fmt.Errorf("clean up after a killed process: %w", err)
	}
	if w.cfg.Frozen == nil {
		w.keepReserve()
		if err := w.records.recover(ctx); err != nil {
			w.cfg.Logger.Warn("finish what a killed process was publishing", "err", err)
		}
	}
	if err := w.tree.refresh(ctx); err != nil {
		w.cfg.Logger.Warn("look at builds", "err", err)
	}
	return ctx.Err()
}

// look refreshes the tree after a change of our own.
func (w *Workdir) look() {
	if err := w.tree.refresh(w.ctx); err != nil {
		w.cfg.Logger.Warn("look at builds", "err", err)
	}
}

// Close ends every job of this process and waits for them.
func (w *Workdir) Close(ctx context.Context) error {
	w.cancel()
	return errors.Join(w.maker.Close(ctx), w.runner.Close(ctx), w.records.store.Close())
}
