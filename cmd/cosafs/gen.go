package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

func (p *program) genCommand() *cli.Command {
	return &cli.Command{
		Name:      "gen",
		Usage:     "print the manual page (man) or the reference (docs)",
		ArgsUsage: "man|docs",
		Hidden:    true, // for make
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, 1); err != nil {
				return err
			}
			render := map[string]func() (string, error){"man": c.App.ToMan, "docs": c.App.ToMarkdown}[c.Args().First()]
			if render == nil {
				return usagef("gen", "gen: unknown format %q", c.Args().First())
			}
			text, err := render()
			if err != nil {
				return fmt.Errorf("render %s: %w", c.Args().First(), err)
			}
			_, err = io.WriteString(p.stdout, text)
			return err
		},
	}
}
