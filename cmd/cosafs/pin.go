package main

import (
	"github.com/urfave/cli/v2"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

func (p *program) pinCommand() *cli.Command {
	return &cli.Command{
		Name:      "pin",
		Usage:     "keep files of stores in the cache for good",
		ArgsUsage: "PATH...",
		Description: "A pinned file is not thrown out when the cache is full. It is not fetched by that:\n" +
			"cosafs materialise PATH does it.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "remove", Aliases: []string{"d"}, Usage: "pin them no longer"},
		},
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, -1); err != nil {
				return err
			}
			return p.service(c.Context, func(s webui.Service) error {
				return p.each(c.Context, c.Args().Slice(), func(arg string) error {
					path, err := p.treePath(c.Context, s, arg)
					if err != nil {
						return err
					}
					k, err := keeperOf(s)
					if err != nil {
						return err
					}
					return k.Pin(c.Context, path, !c.Bool("remove"))
				})
			})
		},
	}
}

func (p *program) syncCommand() *cli.Command {
	return &cli.Command{
		Name:  "sync",
		Usage: "ask the stores now what is new",
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			return p.keeper(c.Context, func(k webui.Keeper) error {
				return p.withProgress(func(tell func(materialize.Event)) error { return k.Sync(c.Context, tell) })
			})
		},
	}
}
