package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

func (p *program) findCommand() *cli.Command {
	return &cli.Command{
		Name:      "find",
		Usage:     "find builds by version, commit, digest, artifact, package, date or tag",
		ArgsUsage: "[ID-PREFIX]",
		Description: "Looks in the index of the build directory and of the stores; all conditions must hold.\n" +
			"cosafs find --package NAME-VERSION --oldest says which build had it first.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "commit", Usage: "the OSTree commit begins with `CHECKSUM`"},
			&cli.StringFlag{Name: "sha256", Usage: "an artifact's sha256, as stored or uncompressed, begins with `DIGEST`"},
			&cli.StringFlag{Name: "artifact", Aliases: []string{"kind"}, Usage: "it has artifact `KIND`"},
			&cli.StringFlag{Name: "state", Usage: "an artifact is in `STATE`: local, cached, remote, gone, ..."},
			&cli.StringFlag{Name: "package", Aliases: []string{"rpm"}, Usage: "it has package `NAME`, NAME-VERSION or NAME-VERSION-RELEASE"},
			&cli.StringFlag{Name: "tag", Usage: "it has tag `TAG`"},
			&cli.StringFlag{Name: "after", Usage: "it was built on `DATE` (2025-01-31, or RFC 3339) or later"},
			&cli.StringFlag{Name: "before", Usage: "it was built before `DATE`"},
			&cli.BoolFlag{Name: "oldest", Usage: "only the oldest build of all that match"},
			&cli.IntFlag{Name: "limit", Aliases: []string{"n"}, Usage: "only the newest `N`", DefaultText: "all"},
		},
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 1); err != nil {
				return err
			}
			req, err := p.findRequest(c)
			if err != nil {
				return err
			}
			return p.keeper(c.Context, func(k webui.Keeper) error { return p.find(c.Context, k, req) })
		},
	}
}

func (p *program) findRequest(c *cli.Context) (webui.FindRequest, error) {
	req := webui.FindRequest{
		ID: c.Args().First(), Arch: p.cfg.Arch, Commit: c.String("commit"), SHA256: c.String("sha256"), Kind: c.String("artifact"),
		State: materialize.State(c.String("state")), Package: c.String("package"), Tag: c.String("tag"),
		Oldest: c.Bool("oldest"), Limit: c.Int("limit"),
	}
	var err error
	if req.After, err = parseDate(c.String("after")); err == nil {
		req.Before, err = parseDate(c.String("before"))
	}
	if err != nil {
		return req, usagef("find", "%v", err)
	}
	return req, nil
}

// parseDate reads a day, which begins at midnight UTC, or a moment; "" is none.
func parseDate(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date such as 2025-01-31", s)
}

func (p *program) find(ctx context.Context, k webui.Keeper, req webui.FindRequest) error {
	found := []webui.Found{}
	err := p.withProgress(func(tell func(materialize.Event)) error {
		list, err := k.Find(ctx, req, tell)
		found = append(found, list...)
		return err
	})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		p.talk("No build matches.")
	}
	return p.data(found, func() {
		for _, f := range found {
			p.say("%s", foundLine(f))
		}
	})
}

// foundLine describes a build in one line.
func foundLine(f webui.Found) string {
	line := fmt.Sprintf("%s/%s  %s  %s", f.Build, f.Arch, f.Time.UTC().Format(time.DateTime), f.Commit[:min(12, len(f.Commit))])
	for _, a := range f.Artifacts {
		line += "  " + a.File
	}
	for _, r := range f.Packages {
		line += "  " + r.Name + "-" + r.EVR() + "." + r.Arch
	}
	if len(f.Tags) > 0 {
		line += "  [" + strings.Join(f.Tags, " ") + "]"
	}
	return line + "  " + f.Source
}
