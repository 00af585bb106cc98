package main

import (
	"context"
	"encoding/json"

	"github.com/urfave/cli/v2"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

func (p *program) diffCommand() *cli.Command {
	return &cli.Command{
		Name:        "diff",
		Usage:       "say what changed from one build to another: packages, artifacts, metadata",
		ArgsUsage:   "A [B]",
		Description: "B is the latest build, if it is not named.",
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, 2); err != nil {
				return err
			}
			req := webui.DiffRequest{A: c.Args().Get(0), B: c.Args().Get(1), Arch: p.cfg.Arch}
			if req.B == "" {
				req.B = "latest"
			}
			return p.keeper(c.Context, func(k webui.Keeper) error { return p.diff(c.Context, k, req) })
		},
	}
}

func (p *program) diff(ctx context.Context, k webui.Keeper, req webui.DiffRequest) error {
	d, err := k.Diff(ctx, req)
	if err != nil {
		return err
	}
	return p.data(d, func() { p.printDiff(d) })
}

func (p *program) printDiff(d webui.Diff) {
	p.say("--- %s", foundLine(d.A))
	p.say("+++ %s", foundLine(d.B))
	if d.Unknown != "" {
		p.say("Packages: unknown: %s", d.Unknown)
	}
	for _, c := range d.Packages {
		p.say("%s package %s: %s", sign(c.Old == "", c.New == ""), c.Name, change(c.Old, c.New))
	}
	for _, c := range d.Artifacts {
		p.say("%s artifact %s: %s", sign(c.Old == nil, c.New == nil), c.Kind, change(artifactText(c.Old), artifactText(c.New)))
	}
	for _, c := range d.Meta {
		p.say("%s %s: %s", sign(c.Old == nil, c.New == nil), c.Key, change(short(c.Old), short(c.New)))
	}
}

// sign marks what came, went or changed.
func sign(came, went bool) string {
	switch {
	case came:
		return "+"
	case went:
		return "-"
	}
	return "~"
}

// change says what was and what is; one of them may be "".
func change(old, now string) string {
	switch {
	case old == "":
		return now
	case now == "":
		return old
	}
	return old + " -> " + now
}

func artifactText(a *materialize.Artifact) string {
	if a == nil {
		return ""
	}
	return size(a.Size) + " " + a.SHA256[:min(12, len(a.SHA256))]
}

// maxShort is how much of a value people get to see, in characters.
const maxShort = 60

// short cuts a long value.
func short(v json.RawMessage) string {
	if r := []rune(string(v)); len(r) > maxShort {
		return string(r[:maxShort]) + "..."
	}
	return string(v)
}
