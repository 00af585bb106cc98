package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"cosafs/cmd/internal/daemon"
	"cosafs/cmd/internal/workdir"
	"cosafs/materialize"
	"cosafs/vfs"
	"cosafs/vfs/fusefs"
	"cosafs/vfs/webui"
)

// openWorkdir opens the build directory.
func (p *program) openWorkdir(ctx context.Context, log *slog.Logger) (*workdir.Workdir, error) {
	if p.cfg.KVM == "off" {
		// The appliance reads cosa's own switch, as does what it starts.
		if err := os.Setenv("COSA_NO_KVM", "1"); err != nil {
			return nil, fmt.Errorf("switch KVM off: %w", err)
		}
	}
	engine := p.cfg.Engine
	if engine == "auto" {
		engine = ""
	}
	// --arch says what is looked at. What is made is always for this machine,
	// which is the build directory's own default.
	return workdir.Open(ctx, workdir.Config{
		Dir: p.cfg.Workdir, Engine: engine, Writer: p.cfg.Writer, Container: p.cfg.Container, VMs: p.cfg.VMs, Linger: p.cfg.Linger, Lock: p.cfg.LockWait,
		State: daemon.StateDir(p.cfg.Workdir), Frozen: frozen(p.cfg.Workdir),
		Version: version(), Logger: log,
	})
}

// frozen says why nothing can be made in a build directory, nil if it can.
func frozen(dir string) error {
	for _, name := range []string{"builds", "cache", "tmp"} {
		if err := daemon.Writable(filepath.Join(dir, name)); err != nil {
			return materialize.Fail(materialize.ClassConfig, "change "+dir,
				"give yourself write permission there, or run cosafs as the directory's owner", err)
		}
	}
	return nil
}

// A watched tree follows what other processes change in it.
type watched struct {
	tree
	stop  context.CancelFunc
	watch sync.WaitGroup
}

// firstAnswer is how long a mount waits for what stores have, so that who mounts
// and looks sees it. The first look at thousands of builds takes longer.
const firstAnswer = 5 * time.Second

// openWatched opens the tree for a daemon.
func (p *program) openWatched(ctx context.Context, log *slog.Logger) (*watched, error) {
	t, err := p.open(ctx, log)
	if err != nil {
		return nil, err
	}
	w := &watched{tree: t}
	ctx, w.stop = context.WithCancel(ctx)
	w.watch.Go(func() { t.Watch(ctx) })
	first := time.NewTimer(firstAnswer)
	defer first.Stop()
	select {
	case <-t.Asked():
	case <-first.C:
	case <-ctx.Done():
	}
	return w, nil
}

// Close ends the watching, the jobs, and lets go of the tree.
func (w *watched) Close(ctx context.Context) error {
	w.stop()
	w.watch.Wait()
	return w.tree.Close(ctx)
}

// showAt gives the function that mounts a backend's tree.
func (p *program) showAt(log *slog.Logger) func(context.Context, daemon.Backend, webui.MountRequest) (daemon.Mount, error) {
	return func(ctx context.Context, b daemon.Backend, req webui.MountRequest) (daemon.Mount, error) {
		w, ok := b.(*watched)
		if !ok {
			return nil, fmt.Errorf("mount a %T: %w", b, errors.ErrUnsupported)
		}
		tree := vfs.New(w.Library(), vfs.Options{ListBuildable: req.ShowAll, OpenDeadline: p.cfg.Deadline})
		if err := fusefs.CheckDevice(fusefs.Device); err != nil {
			return nil, materialize.Fail(materialize.ClassTool, "show the tree", fuseHint, err)
		}
		s, err := fusefs.Mount(ctx, req.Dir, tree, fusefs.Options{AllowOther: req.AllowOther, Logger: log})
		if err != nil {
			return nil, materialize.Fail(materialize.ClassTool, "show the tree", "cosafs doctor checks /dev/fuse and fusermount3", err)
		}
		return s, nil
	}
}

// detach takes a mount away that no daemon answers for.
func detach(ctx context.Context, dir string) error { return fusefs.Unmount(ctx, dir) }

// initDir is where cosafs init works: the directory named as its argument or
// as the build directory, else the current one, but never one above it.
func (p *program) initDir(arg string) (string, error) {
	if arg == "" && p.cfg.named {
		return p.cfg.Workdir, nil
	}
	dir, err := filepath.Abs(arg)
	if err != nil {
		return "", fmt.Errorf("find current directory: %w", err)
	}
	return dir, nil
}

// makeWorkdir makes a build directory.
func (p *program) makeWorkdir(ctx context.Context, dir string, o initOptions) error {
	return workdir.Init(ctx, workdir.InitConfig{Dir: dir, Source: o.source, Branch: o.branch, Variant: o.variant, Force: o.force})
}
