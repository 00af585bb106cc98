package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"cosafs/index"
	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// A lsEntry is one line of cosafs ls.
type lsEntry struct {
	Path  string            `json:"path"`
	Kind  string            `json:"kind"`
	State materialize.State `json:"state"`
	Size  int64             `json:"size"` // bytes; -1 unknown
}

func (p *program) lsCommand() *cli.Command {
	return &cli.Command{
		Name:      "ls",
		Usage:     "list the artifacts of builds",
		ArgsUsage: "[BUILD...]",
		Description: "Prints state, size and path in the tree of each artifact, of all builds when none is\n" +
			"named. Listing never makes anything.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "also what does not exist yet, but would be made when it is opened"},
		},
		Action: func(c *cli.Context) error {
			return p.service(c.Context, func(s webui.Service) error {
				return p.ls(c.Context, s, c.Args().Slice(), c.Bool("all"))
			})
		},
	}
}

// ls prints the artifacts of the builds named, or of all.
func (p *program) ls(ctx context.Context, s webui.Service, ids []string, all bool) error {
	named := len(ids) > 0
	if !named {
		builds, err := s.Builds(ctx)
		if err != nil {
			return err
		}
		ids = showable(builds, p.arch())
	}
	entries := []lsEntry{}
	if all && !named {
		entries = p.listNext(ctx, s)
	}
	err := p.each(ctx, ids, func(id string) error {
		b, err := s.Show(ctx, strings.TrimSuffix(id, "/"), p.cfg.Arch)
		if err != nil {
			return err
		}
		entries = append(entries, listArtifacts(b, all)...)
		return nil
	})
	return errors.Join(err, p.data(entries, func() {
		for _, e := range entries {
			p.say("%-9s %10s  %s", e.State, size(e.Size), e.Path)
		}
	}))
}

// listNext gives what next/ would hold: the kinds that the configuration can
// give on this machine now. Where it can't be read, its builds still are listed.
func (p *program) listNext(ctx context.Context, s webui.Service) []lsEntry {
	entries := []lsEntry{}
	for _, kind := range index.Kinds() {
		path := materialize.Next + "/" + p.arch() + "/" + index.ShortName(kind)
		if plan, err := s.Plan(ctx, path); err == nil && plan.State != materialize.StateGone {
			entries = append(entries, lsEntry{Path: path, Kind: string(kind), State: plan.State, Size: -1})
		}
	}
	return entries
}

// showable lists the builds that have arch and can be read.
func showable(builds []webui.BuildInfo, arch string) []string {
	var ids []string
	for _, b := range builds {
		if slices.Contains(b.Arches, arch) && b.Problem == "" {
			ids = append(ids, b.ID)
		}
	}
	return ids
}

// listArtifacts gives the lines of one build.
func listArtifacts(b webui.BuildInfo, all bool) []lsEntry {
	var entries []lsEntry
	dir := b.ID + "/" + b.Arch + "/"
	for _, a := range b.Artifacts {
		e := lsEntry{Path: dir + a.File, Kind: a.Kind, State: materialize.StateLocal, Size: a.Size}
		switch {
		case a.State != "":
			e.State = a.State
		case a.Damage != "":
			e.State = materialize.StateFailed
		case !a.Local:
			e.State = materialize.StateGone
		}
		entries = append(entries, e)
	}
	if !all {
		return entries
	}
	for _, kind := range b.Buildable {
		entries = append(entries, lsEntry{Path: dir + index.ShortName(index.Kind(kind)), Kind: kind, State: materialize.StateBuildable, Size: -1})
	}
	return entries
}
