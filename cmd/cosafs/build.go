package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"cosafs/index"
	"cosafs/materialize"
	"cosafs/vfs/webui"
)

func (p *program) buildCommand() *cli.Command {
	return &cli.Command{
		Name:      "build",
		Usage:     "make a build, if anything changed",
		ArgsUsage: "[KIND...]",
		Description: "KIND is ostree (only the commit), qemu, metal, or what else cosafs ls --all shows.\n" +
			"Without one the commit and the qemu image are made. Events go to standard error, the\n" +
			"build's id, version and commit to standard output.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Aliases: []string{"force-nocache"}, Usage: "a new commit even if nothing changed"},
			&cli.BoolFlag{Name: "force-image", Usage: "a new build even if commit and image configuration are the same"},
			&cli.BoolFlag{Name: "no-prune", Aliases: []string{"skip-prune"}, Usage: "keep all old builds"},
			&cli.StringFlag{Name: "version", Usage: "`VERSION` of the commit"},
			&cli.StringFlag{Name: "parent", Usage: "`COMMIT` that is the new one's parent"},
			&cli.StringFlag{Name: "parent-build", Usage: "`BUILD` whose commit is the parent"},
			&cli.StringFlag{Name: "tag", Usage: "give the build a `TAG`"},
		},
		Action: func(c *cli.Context) error {
			req, err := buildRequest(c, p.cfg.Arch)
			if err != nil {
				return err
			}
			return p.service(c.Context, func(s webui.Service) error { return p.build(c.Context, s, req) })
		},
	}
}

// buildRequest gives what the command line asks for.
func buildRequest(c *cli.Context, arch string) (webui.BuildRequest, error) {
	req := webui.BuildRequest{
		Force: c.Bool("force"), ForceImage: c.Bool("force-image"), NoPrune: c.Bool("no-prune"),
		Version: c.String("version"), Parent: c.String("parent"), Tag: c.String("tag"), Arch: arch,
	}
	if c.IsSet("parent") && c.IsSet("parent-build") {
		return req, usagef("build", "build: --parent and --parent-build say the same thing twice")
	}
	if c.IsSet("parent-build") {
		req.Parent = c.String("parent-build")
	}
	for _, kind := range c.Args().Slice() {
		if kind == "container" { // cosa's newer word for it
			kind = "ostree"
		}
		if !slices.Contains(index.Kinds(), index.Kind(kind)) {
			return req, usagef("build", "build: unknown kind %q", kind)
		}
		req.Kinds = append(req.Kinds, kind)
	}
	return req, nil
}

// build makes the build and prints what came of it.
func (p *program) build(ctx context.Context, s webui.Service, req webui.BuildRequest) error {
	var res webui.BuildResult
	err := p.withProgress(func(tell func(materialize.Event)) (err error) {
		res, err = s.Build(ctx, req, tell)
		return err
	})
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	return p.data(res, func() {
		p.say("%s", res.ID)
		p.say("   Version: %s", res.Version)
		p.say("   Commit: %s", res.Commit)
		p.say("   State: %s", newness(res.New))
		for _, old := range res.Pruned {
			p.talk("Pruned %s.", old.ID)
		}
		p.talk("Took %s.", res.Duration.Round(time.Second/10))
	})
}

// newness says whether a build was made.
func newness(made bool) string {
	if made {
		return "new"
	}
	return "nothing changed"
}

func (p *program) extendCommand() *cli.Command {
	return &cli.Command{
		Name:      "extend",
		Aliases:   []string{"buildextend"},
		Usage:     "make more artifacts of a build",
		ArgsUsage: "KIND...",
		Description: "cosa's spelling works, too: cosafs buildextend-metal. The files' paths go to standard output.\n" +
			"What meta.json records already stays, but with --force: then others than the recorded\n" +
			"bytes take their place. While the disk that they are made of is in the cache they\n" +
			"come out the same, and nothing changes.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "build", Value: "latest", Usage: "`BUILD` to extend"},
			&cli.BoolFlag{Name: "force", Usage: "make again what is recorded already"},
		},
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, -1); err != nil {
				return err
			}
			var paths []string
			for _, kind := range c.Args().Slice() {
				if kind == "live" { // cosa's word for all live artifacts, which come together
					kind = "live-iso"
				}
				short := index.ShortName(index.Kind(kind))
				if short == "" {
					return usagef("extend", "extend: unknown kind %q", kind)
				}
				paths = append(paths, c.String("build")+"/"+p.arch()+"/"+short)
			}
			if c.Bool("force") {
				return p.makeAll(c.Context, paths, p.remake)
			}
			return p.makeAll(c.Context, paths, p.materialise)
		},
	}
}

func (p *program) materialiseCommand() *cli.Command {
	return &cli.Command{
		Name:      "materialise",
		Aliases:   []string{"materialize"},
		Usage:     "make files of the tree exist, as opening them would",
		ArgsUsage: "PATH...",
		Description: "PATH is one of the tree, such as latest/x86_64/qemu.qcow2, or one below a mount.\n" +
			"The files' real paths go to standard output.",
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, -1); err != nil {
				return err
			}
			return p.makeAll(c.Context, c.Args().Slice(), p.materialise)
		},
	}
}

// makeAll makes every path's bytes by one and prints where they are.
func (p *program) makeAll(ctx context.Context, paths []string, one func(context.Context, webui.Service, string) (materialize.Result, error)) error {
	return p.service(ctx, func(s webui.Service) error {
		results := make([]materialize.Result, 0, len(paths))
		err := p.each(ctx, paths, func(path string) error {
			res, err := one(ctx, s, path)
			if err == nil {
				results = append(results, res)
			}
			return err
		})
		return errors.Join(err, p.data(results, func() {
			for _, res := range results {
				p.say("%s", res.Path)
			}
		}))
	})
}

// materialise makes one path's bytes exist.
func (p *program) materialise(ctx context.Context, s webui.Service, path string) (res materialize.Result, err error) {
	rel, err := p.treePath(ctx, s, path)
	if err != nil {
		return res, err
	}
	err = p.withProgress(func(tell func(materialize.Event)) error {
		res, err = s.Materialise(ctx, rel, tell)
		return err
	})
	if err != nil {
		return res, fmt.Errorf("%s: %w", path, err)
	}
	return res, nil
}

// remake makes one path's artifact again.
func (p *program) remake(ctx context.Context, s webui.Service, path string) (res materialize.Result, err error) {
	m, ok := s.(webui.Remaker)
	if !ok {
		return res, fmt.Errorf("extend: %T makes nothing again", s)
	}
	err = p.withProgress(func(tell func(materialize.Event)) error {
		res, err = m.Remake(ctx, path, tell)
		return err
	})
	if err != nil {
		return res, fmt.Errorf("%s: %w", path, err)
	}
	if res.Same {
		p.talk("%s came out as recorded: nothing changed.", path)
	}
	return res, nil
}
