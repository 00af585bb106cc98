package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"cosafs/vfs/webui"
)

func (p *program) listCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "list the builds, newest first, as cosa list does",
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			return p.service(c.Context, func(s webui.Service) error {
				builds, err := s.Builds(c.Context)
				if err != nil {
					return err
				}
				return p.data(builds, func() { p.printBuilds(builds, time.Now()) })
			})
		},
	}
}

// printBuilds prints as cosa list does, but goes on after a build that is not
// there or can't be read.
func (p *program) printBuilds(builds []webui.BuildInfo, now time.Time) {
	if len(builds) == 0 {
		p.say("No builds!")
	}
	for _, b := range builds {
		p.say("%s", b.ID)
		if !b.Time.IsZero() {
			p.say("   Timestamp: %s (%s ago)", b.Time.UTC().Format(time.RFC3339), age(now.Sub(b.Time)))
		}
		p.say("   Arches: %s", strings.Join(b.Arches, " "))
		if b.Problem != "" {
			p.say("   Problem: %s", b.Problem)
		}
		if kinds := kindsOf(b); b.Problem == "" || len(kinds) > 0 {
			p.say("   Artifacts: %s", strings.Join(kinds, " "))
		}
		if b.Config != "" {
			p.say("      Config: %s", b.Config) // indented as cosa does
		}
		if len(b.Tags) > 0 {
			p.say("   Tags: %s", strings.Join(b.Tags, " "))
		}
		p.say("")
	}
}

// kindsOf lists a build's recorded kinds.
func kindsOf(b webui.BuildInfo) []string {
	kinds := make([]string, len(b.Artifacts))
	for i, a := range b.Artifacts {
		kinds[i] = a.Kind
	}
	return kinds
}

// age gives a time span as Python prints a timedelta, which cosa list shows.
func age(d time.Duration) string {
	d = max(d, 0).Truncate(time.Second)
	days := int(d / (24 * time.Hour))
	d -= time.Duration(days) * 24 * time.Hour
	clock := fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
	switch days {
	case 0:
		return clock
	case 1:
		return "1 day, " + clock
	}
	return fmt.Sprintf("%d days, %s", days, clock)
}
