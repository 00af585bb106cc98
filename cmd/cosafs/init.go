package main

import (
	"github.com/urfave/cli/v2"
)

// initOptions are cosafs init's.
type initOptions struct {
	source, branch, variant string
	force                   bool
}

func (p *program) initCommand() *cli.Command {
	return &cli.Command{
		Name:      "init",
		Usage:     "make a build directory from a configuration",
		ArgsUsage: "URL|CONFIG [DIR]",
		Description: "URL is a git repository, which is cloned to src/config; CONFIG a directory with\n" +
			"manifest.yaml, which is linked. DIR is made where it is missing; without it the current\n" +
			"directory is used, or that of -C.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Usage: "even if the directory is not empty"},
			&cli.StringFlag{Name: "branch", Aliases: []string{"b"}, Usage: "`BRANCH` to clone"},
			&cli.StringFlag{Name: "variant", Aliases: []string{"V"}, Usage: "use manifest-`VARIANT`.yaml and image-VARIANT.yaml"},
		},
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, 2); err != nil {
				return err
			}
			o := initOptions{source: c.Args().First(), branch: c.String("branch"), variant: c.String("variant"), force: c.Bool("force")}
			dir, err := p.initDir(c.Args().Get(1))
			if err != nil {
				return err
			}
			if err := p.makeWorkdir(c.Context, dir, o); err != nil {
				return hintf(err, "--force works in a directory that isn't empty")
			}
			p.talk("Made a build directory in %s. Next: cosafs build, or cosafs mount DIR.", dir)
			return nil
		},
	}
}
