package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"cosafs/cmd/internal/verify"
	"cosafs/materialize"
)

func (p *program) verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "read artifacts whole and check them against meta.json",
		ArgsUsage: "[BUILD...]",
		Description: "Checks size and sha256 of every artifact that is recorded, of all builds when none is named:\n" +
			"those of the build directory or, with --from, of a store.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "check what lies at `URL` instead"},
			&cli.StringSliceFlag{Name: "artifact", Usage: "check artifact `KIND` only; may be given several times"},
			&cli.BoolFlag{Name: "uncompressed", Usage: "also what compressed artifacts hold"},
			&cli.StringFlag{Name: "keyring", Usage: "also the signatures beside the artifacts, with the keys in `FILE`"},
		},
		Action: func(c *cli.Context) error {
			o := verify.Options{
				Builds: c.Args().Slice(), Arches: p.uploadArches(), Artifacts: c.StringSlice("artifact"),
				Uncompressed: c.Bool("uncompressed"), Keyring: c.String("keyring"),
			}
			if url := c.String("from"); url != "" {
				return p.withStore(c.Context, url, storeOptions{}, func(s openStore) error {
					o.Store = s.store
					return p.verify(c.Context, s.name, o)
				})
			}
			if err := p.checkWorkdir(); err != nil {
				return err
			}
			o.Dir = p.cfg.Workdir
			return p.verify(c.Context, o.Dir, o)
		},
	}
}

// verify prints what was found. What is gone is as it may be; bad bytes are a
// failure, and so is what could not be read.
func (p *program) verify(ctx context.Context, where string, o verify.Options) error {
	var rep verify.Report
	err := p.withProgress(func(tell func(materialize.Event)) (err error) {
		o.Tell = tell
		rep, err = verify.Run(ctx, o)
		return err
	})
	if err != nil {
		return fmt.Errorf("verify %s: %w", where, err)
	}
	if err := p.data(rep, func() { p.printVerified(rep) }); err != nil {
		return err
	}
	switch all := len(rep.Bad) + len(rep.Checked); {
	case len(rep.Bad) > 0:
		return hintf(fmt.Errorf("%d of %d files are not as recorded", len(rep.Bad), all), "cosafs fetch brings a build's files again; cosafs build --force makes a new build")
	case len(rep.Unknown) > 0:
		return errPartial
	}
	return nil
}

func (p *program) printVerified(rep verify.Report) {
	for _, item := range rep.Checked {
		p.say("ok    %s", item.Path)
	}
	for _, item := range rep.Gone {
		p.say("gone  %s: %s", item.Path, item.Problem)
	}
	for _, item := range rep.Unknown {
		p.say("?     %s: %s", item.Path, item.Problem)
	}
	for _, item := range rep.Bad {
		p.say("BAD   %s: %s", item.Path, item.Problem)
	}
}
