package main

import (
	"fmt"
	"strings"

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
			switch c.Args().First() {
			case "man":
				return p.render(manual(c.App))
			case "docs":
				return p.render(c.App.ToMarkdown)
			}
			return usagef("gen", "gen: unknown format %q", c.Args().First())
		},
	}
}

// manCommand is short for gen man.
func (p *program) manCommand() *cli.Command {
	return &cli.Command{
		Name:   "man",
		Usage:  "print the manual page",
		Hidden: true, // for make
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			return p.render(manual(c.App))
		},
	}
}

// manual gives the manual page. It is made by way of Markdown, in which lines
// run together and [X] (y) is a link.
func manual(app *cli.App) func() (string, error) {
	app.Description = "Exit codes:\n\n    " + strings.ReplaceAll(exitCodes, "\n", "\n    ")
	for _, f := range app.Flags {
		if s, ok := f.(*cli.StringFlag); ok {
			s.Usage = strings.ReplaceAll(s.Usage, "[", `\[`)
		}
	}
	return app.ToMan
}

// render prints what the table of commands says, in a format.
func (p *program) render(format func() (string, error)) error {
	text, err := format()
	if err != nil {
		return fmt.Errorf("render: %w", err)
	}
	p.write(text)
	return nil
}
