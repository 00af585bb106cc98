package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"cosafs/cmd/internal/daemon"
	"cosafs/cmd/internal/workdir"
	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// service runs do with the build directory's daemon where one runs, else with
// the build directory itself.
func (p *program) service(ctx context.Context, do func(webui.Service) error) error {
	if err := p.checkWorkdir(); err != nil {
		return err
	}
	c, _, err := p.runtime().Dial(ctx, p.cfg.Workdir)
	if err == nil {
		defer c.Close()
		return do(c)
	}
	if !errors.Is(err, webui.ErrNoDaemon) {
		return err
	}
	wd, err := p.open(ctx, p.logger(slog.LevelError)) // what matters comes back as an error; -v shows the rest
	if err != nil {
		return err
	}
	return errors.Join(do(wd), closeDetached(ctx, wd))
}

// storesOnly says whether stores are shown without a build directory: they were
// named, and no directory was. One that merely lies around is not meant.
func (p *program) storesOnly() bool { return len(p.cfg.Stores) > 0 && !p.cfg.named }

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
