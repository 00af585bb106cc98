package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cosafs/cmd/internal/daemon"
	"cosafs/cmd/internal/workdir"
	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// service runs do with the tree's daemon where one runs, else with the tree
// itself. Stores are asked first what is new, unless a daemon does that.
func (p *program) service(ctx context.Context, do func(webui.Service) error) error {
	if err := p.checkHome(); err != nil {
		return err
	}
	s, done, err := p.connect(ctx)
	if err != nil {
		return err
	}
	if t, ok := s.(tree); ok && len(p.cfg.Stores) > 0 && !p.cfg.Offline {
		p.freshen(ctx, t)
	}
	return errors.Join(do(s), done())
}

// freshen asks the stores what is new. One that can't be asked is complained of;
// the index may know enough all the same.
func (p *program) freshen(ctx context.Context, t tree) {
	err := p.withProgress(func(tell func(materialize.Event)) error { return t.Sync(ctx, tell) })
	if err != nil && ctx.Err() == nil {
		p.complain(err)
	}
}

// keeper is service for what only those can do who keep an index.
func (p *program) keeper(ctx context.Context, do func(webui.Keeper) error) error {
	return p.service(ctx, func(s webui.Service) error {
		k, err := keeperOf(s)
		if err != nil {
			return err
		}
		return do(k)
	})
}

func keeperOf(s webui.Service) (webui.Keeper, error) {
	k, ok := s.(webui.Keeper)
	if !ok {
		return nil, fmt.Errorf("%T keeps no index: %w", s, errors.ErrUnsupported)
	}
	return k, nil
}

// closeDetached ends the jobs also when ctx has ended: then it matters most.
func closeDetached(ctx context.Context, b daemon.Backend) error {
	return b.Close(context.WithoutCancel(ctx))
}

// checkWorkdir refuses to work in a directory that is no build directory.
func (p *program) checkWorkdir() error {
	if isWorkdir(p.cfg.Workdir) {
		return nil
	}
	err := fmt.Errorf("%s: %w", p.cfg.Workdir, fs.ErrNotExist)
	if _, statErr := os.Stat(p.cfg.Workdir); statErr == nil {
		err = fmt.Errorf("%s: not a build directory: builds or src/config is missing", p.cfg.Workdir)
	}
	return hintf(err, "cosafs init URL|CONFIG makes one here; -C DIR names another")
}

// arch is the architecture that is meant when none is named.
func (p *program) arch() string {
	if p.cfg.Arch != "" {
		return p.cfg.Arch
	}
	return workdir.Basearch()
}

// treePath gives arg as a path below the tree's root. It may be one, a path
// below one of the daemon's mounts, or a path in the build directory's builds.
func (p *program) treePath(ctx context.Context, s webui.Service, arg string) (string, error) {
	abs, err := filepath.Abs(arg)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", arg, err)
	}
	st, err := s.Status(ctx)
	if err != nil {
		return "", err
	}
	for _, root := range append(st.Mounts, filepath.Join(p.cfg.Workdir, "builds")) {
		if rel, ok := below(root, abs); ok {
			return rel, nil
		}
	}
	if filepath.IsAbs(arg) {
		err := fmt.Errorf("%s: not below a mount of %s: %w", arg, p.cfg.Workdir, fs.ErrNotExist)
		return "", hintf(err, "name it as in the tree: latest/%s/qemu.qcow2", p.arch())
	}
	return filepath.Clean(arg), nil
}

// below gives path relative to root, if it lies below it.
func below(root, path string) (string, bool) {
	rel, err := filepath.Rel(root, path)
	if err != nil || rel == "." || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", false
	}
	return rel, true
}

// withProgress runs work while its events are shown.
func (p *program) withProgress(work func(tell func(materialize.Event)) error) error {
	g := p.newProgress()
	defer g.done()
	return work(g.tell)
}
