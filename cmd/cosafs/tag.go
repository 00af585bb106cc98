package main

import (
	"context"
	"slices"

	"github.com/urfave/cli/v2"

	"cosafs/vfs/webui"
)

func (p *program) tagCommand() *cli.Command {
	return &cli.Command{
		Name:        "tag",
		Usage:       "name builds; a named build is never pruned",
		ArgsUsage:   "list|update|delete|TAG [BUILD]",
		Description: "As cosa tag: update --tag T [--build B] names a build (the newest, if none is given),\ndelete --tag T takes the name away. cosafs tag T [B] is short for update.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "tag", Usage: "the `TAG`"},
			&cli.StringFlag{Name: "build", Value: "latest", Usage: "the `BUILD`"},
		},
		Action: func(c *cli.Context) error {
			verb, tag, build, err := tagWords(c)
			if err != nil {
				return err
			}
			return p.service(c.Context, func(s webui.Service) error {
				switch verb {
				case "list":
					return p.listTags(c.Context, s)
				case "update":
					return p.updateTag(c.Context, s, tag, build)
				case "delete":
					return hintf(s.Untag(c.Context, tag), "cosafs tag list shows the tags")
				}
				return usagef("tag", "tag: unknown action %q", verb)
			})
		},
	}
}

// tagWords reads the command line: cosa's verbs with options, or TAG [BUILD].
func tagWords(c *cli.Context) (verb, tag, build string, err error) {
	verb, tag, build = c.Args().First(), c.String("tag"), c.String("build")
	if tag != "" || slices.Contains([]string{"list", "update", "delete"}, verb) {
		if tag == "" && verb != "list" {
			return "", "", "", usagef("tag", "tag %s: --tag is missing", verb)
		}
		return verb, tag, build, wantArgs(c, 1, 1)
	}
	if c.NArg() == 2 {
		build = c.Args().Get(1)
	}
	return "update", verb, build, wantArgs(c, 1, 2)
}

// A tagEntry is one line of cosafs tag list.
type tagEntry struct {
	Name   string `json:"name"`
	Target string `json:"target"`
}

func (p *program) listTags(ctx context.Context, s webui.Service) error {
	builds, err := s.Builds(ctx)
	if err != nil {
		return err
	}
	tags := []tagEntry{}
	for _, b := range builds {
		for _, t := range b.Tags {
			tags = append(tags, tagEntry{Name: t, Target: b.ID})
		}
	}
	return p.data(tags, func() {
		if len(tags) == 0 {
			p.say("No tags found") // cosa's words
		}
		for _, t := range tags {
			p.say("name: %s\ntarget: %s\n", t.Name, t.Target)
		}
	})
}

func (p *program) updateTag(ctx context.Context, s webui.Service, tag, build string) error {
	b, err := s.Show(ctx, build, p.cfg.Arch) // "latest" becomes an id
	if err != nil {
		return err
	}
	return s.Tag(ctx, tag, b.ID)
}
