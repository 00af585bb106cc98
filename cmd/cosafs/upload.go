package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"cosafs/cmd/internal/upload"
	"cosafs/materialize"
)

func (p *program) uploadCommand() *cli.Command {
	return &cli.Command{
		Name:      "upload",
		Aliases:   []string{"buildupload"},
		Usage:     "publish a build in a store",
		ArgsUsage: "URL",
		Description: "Sends what the store lacks: the files, then meta.json, then builds.json, which is merged with\n" +
			"what others published meanwhile. cosa's form works, too: buildupload s3 BUCKET/PREFIX.",
		Flags: append(publishFlags(),
			&cli.StringFlag{Name: "build", Aliases: []string{"b"}, Usage: "publish build `ID` (default: the latest)"},
			&cli.StringSliceFlag{Name: "artifact", Usage: "publish artifact `KIND` only; may be given several times"},
			&cli.BoolFlag{Name: "force", Usage: "send everything, also what the store has"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "say what would be sent, and send nothing"},
			&cli.BoolFlag{Name: "skip-builds-json", Usage: "leave builds.json alone: nobody finds the build yet"},
		),
		Action: func(c *cli.Context) error {
			url, err := publishURL(c)
			if err != nil {
				return err
			}
			if err := p.checkWorkdir(); err != nil {
				return err
			}
			return p.upload(c.Context, url, publishOptions(c), upload.Options{
				Build: c.String("build"), Arches: p.uploadArches(), Artifacts: c.StringSlice("artifact"),
				Force: c.Bool("force"), DryRun: c.Bool("dry-run"), SkipBuildsJSON: c.Bool("skip-builds-json"),
			})
		},
	}
}

// publishFlags are the options of commands that write to a store.
func publishFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "acl", Usage: "give what is written the canned ACL `ACL`, such as public-read"},
		&cli.BoolFlag{Name: "single-publisher", Usage: "accept a store that ignores conditional writes: nobody else may write to it meanwhile"},
		&cli.StringFlag{Name: "state-prefix", Usage: "keep side objects below `PREFIX` of the bucket (default: .cosafs beside the builds)"},
	}
}

func publishOptions(c *cli.Context) storeOptions {
	return storeOptions{acl: c.String("acl"), singlePublisher: c.Bool("single-publisher"), statePrefix: c.String("state-prefix")}
}

// publishURL takes the URL, or cosa's two words for it.
func publishURL(c *cli.Context) (string, error) {
	if c.Args().First() == "s3" && c.NArg() == 2 {
		return "s3://" + c.Args().Get(1), nil
	}
	return c.Args().First(), wantArgs(c, 1, 1)
}

func (p *program) uploadArches() []string {
	if p.cfg.Arch == "" {
		return nil
	}
	return []string{p.cfg.Arch}
}

func (p *program) upload(ctx context.Context, url string, so storeOptions, o upload.Options) error {
	return p.withStore(ctx, url, so, func(s openStore) error {
		o.Workdir, o.Dest, o.URL = p.cfg.Workdir, s.store, s.name
		var rep upload.Report
		err := p.withProgress(func(tell func(materialize.Event)) (err error) {
			o.Tell = tell
			rep, err = upload.Run(ctx, o)
			return err
		})
		if err != nil {
			return fmt.Errorf("upload to %s: %w", s.name, err)
		}
		return p.data(rep, func() { p.printUploaded(rep, o.DryRun) })
	})
}

func (p *program) printUploaded(rep upload.Report, dry bool) {
	sent := "sent"
	if dry {
		sent = "would send"
	}
	for _, o := range rep.Sent {
		p.say("%-10s %10s  %s (%s)", sent, size(o.Size), o.Key, o.Why)
	}
	for _, o := range rep.Skipped {
		p.say("%-10s %10s  %s (%s)", "there", size(o.Size), o.Key, o.Why)
	}
	for _, note := range rep.Notes {
		p.talk("note: %s", note)
	}
	p.say("Build: %s, %s %s", rep.Build, size(rep.Bytes), sent)
}
