package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

func (p *program) showCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "show one build",
		ArgsUsage: "[BUILD]",
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 1); err != nil {
				return err
			}
			id := c.Args().First()
			if id == "" {
				id = "latest"
			}
			return p.service(c.Context, func(s webui.Service) error {
				b, err := s.Show(c.Context, id, p.cfg.Arch)
				if err != nil {
					return err
				}
				return p.data(b, func() { p.printBuild(b) })
			})
		},
	}
}

// printBuild prints a build for people.
func (p *program) printBuild(b webui.BuildInfo) {
	line := func(name, value string) {
		if value != "" {
			p.say("%-11s %s", name+":", value)
		}
	}
	line("Build", b.ID)
	line("Arch", b.Arch)
	line("Version", b.Version)
	line("Commit", b.Commit)
	if !b.Time.IsZero() {
		line("Timestamp", b.Time.UTC().Format(time.RFC3339))
	}
	line("Config", b.Config)
	line("Tags", strings.Join(b.Tags, " "))
	line("Problem", b.Problem)
	for _, a := range b.Artifacts {
		line("Artifact", fmt.Sprintf("%-14s %10s  %s%s", a.Kind, size(a.Size), a.File, missing(a)))
	}
	for _, v := range b.Views {
		line("View", fmt.Sprintf("%-14s %10s  %s  sha256 %s", v.Kind, size(v.Size), v.File, v.SHA256))
	}
	line("Buildable", strings.Join(b.Buildable, " "))
}

// missing marks an artifact that is recorded, but not there as it is recorded.
func missing(a materialize.Artifact) string {
	switch {
	case a.Local:
		return ""
	case a.Reason != "":
		return fmt.Sprintf(" (%s: %s)", a.State, a.Reason)
	case a.State != "":
		return fmt.Sprintf(" (%s)", a.State)
	case a.Damage != "":
		return " (" + a.Damage + ")"
	}
	return " (not here)"
}

// size gives bytes as people read them; an unknown size is a dash.
func size(n int64) string {
	if n < 0 {
		return "-"
	}
	return webui.Size(n)
}
