package main

import (
	"github.com/urfave/cli/v2"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// keepBuilds is how many untagged builds cosa's prune keeps by default.
const keepBuilds = 3

func (p *program) pruneCommand() *cli.Command {
	return &cli.Command{
		Name:  "prune",
		Usage: "delete old builds",
		Description: "Tagged builds, and those of which a file is open, stay and don't count. What was\n" +
			"deleted, or would be, goes to standard output.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "keep-last-n", Aliases: []string{"n", "keep"}, Value: keepBuilds, Usage: "keep the `N` newest; 0 keeps all"},
			&cli.StringSliceFlag{Name: "build", Usage: "delete exactly this `BUILD`; may be given again"},
			&cli.BoolFlag{Name: "dry-run", Usage: "delete nothing, only say what would be"},
		},
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			if c.Int("keep-last-n") < 0 {
				return usagef("prune", "prune: --keep-last-n %d is less than nothing", c.Int("keep-last-n"))
			}
			req := webui.PruneRequest{Keep: c.Int("keep-last-n"), Builds: c.StringSlice("build"), Dry: c.Bool("dry-run")}
			return p.service(c.Context, func(s webui.Service) error {
				gone, err := s.Prune(c.Context, req)
				if err != nil {
					return hintf(err, "cosafs list shows builds and tags; cosafs tag delete --tag TAG takes a tag away")
				}
				return p.data(append([]materialize.BuildRef{}, gone...), func() {
					for _, b := range gone {
						p.say("%s", b.ID)
					}
				})
			})
		},
	}
}
