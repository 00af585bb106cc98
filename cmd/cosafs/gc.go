package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"cosafs/cmd/internal/gc"
	"cosafs/index"
	"cosafs/materialize"
)

func (p *program) gcCommand() *cli.Command {
	return &cli.Command{
		Name:      "gc",
		Usage:     "delete old builds from a store",
		ArgsUsage: "URL",
		Description: "Says what it would delete, and deletes it with --delete only. Builds with a tag, those named\n" +
			"by --root and what an upload may be sending are kept. builds.json changes first; what is\n" +
			"deleted is recorded there as cosa does (tombstone-builds, policy-cleanup).",
		Flags: append(publishFlags(),
			&cli.BoolFlag{Name: "delete", Usage: "delete, rather than say what would be deleted"},
			&cli.IntFlag{Name: "keep", Usage: "keep `N` builds beside the newest", DefaultText: "all"},
			&cli.DurationFlag{Name: "keep-newer", Usage: "keep builds younger than `TIME`, such as 720h", DefaultText: "all"},
			&cli.IntFlag{Name: "keep-images", Usage: "keep the images of `N` builds beside the newest", DefaultText: "all"},
			&cli.DurationFlag{Name: "keep-images-newer", Usage: "keep the images of builds younger than `TIME`", DefaultText: "all"},
			&cli.StringSliceFlag{Name: "images-kept", Usage: "but always images of `KIND` (default: ostree, of which the others can be made again)"},
			&cli.StringSliceFlag{Name: "root", Usage: "keep build `ID` whole"},
			&cli.BoolFlag{Name: "unlisted", Usage: "also builds that builds.json does not name"},
			&cli.DurationFlag{Name: "grace", Usage: "spare what no list names for `TIME`: somebody may be uploading it", Value: 7 * 24 * time.Hour},
		),
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, 1); err != nil {
				return err
			}
			o := gc.Options{Policy: gcPolicy(c), Roots: c.StringSlice("root"), Dry: !c.Bool("delete")}
			return p.gc(c.Context, c.Args().First(), publishOptions(c), o)
		},
	}
}

func gcPolicy(c *cli.Context) gc.Policy {
	policy := gc.Policy{
		Builds:   gc.Keep{Newest: c.Int("keep"), NewerThan: c.Duration("keep-newer")},
		Images:   gc.Keep{Newest: c.Int("keep-images"), NewerThan: c.Duration("keep-images-newer")},
		Unlisted: c.Bool("unlisted"), Grace: c.Duration("grace"),
	}
	kept := c.StringSlice("images-kept")
	if len(kept) == 0 {
		kept = []string{materialize.KindOSTree}
	}
	for _, kind := range kept {
		policy.ImagesKept = append(policy.ImagesKept, index.Kind(kind))
	}
	return policy
}

func (p *program) gc(ctx context.Context, url string, so storeOptions, o gc.Options) error {
	return p.withStore(ctx, url, so, func(s openStore) error {
		o.Store = s.store
		var rep gc.Report
		err := p.withProgress(func(tell func(materialize.Event)) (err error) {
			o.Tell = tell
			rep, err = gc.Run(ctx, o)
			return err
		})
		if err != nil {
			return fmt.Errorf("collect garbage of %s: %w", s.name, err)
		}
		return p.data(rep, func() { p.printCollected(rep, o.Dry) })
	})
}

func (p *program) printCollected(rep gc.Report, dry bool) {
	deleted := "deleted"
	if dry {
		deleted = "would delete"
	}
	for _, o := range rep.Deleted {
		p.say("%-12s %10s  %s (%s)", deleted, size(o.Size), o.Key, o.Why)
	}
	for _, note := range rep.Notes {
		p.talk("note: %s", note)
	}
	p.say("%s %s: %d builds whole, images of %d", deleted, size(rep.Bytes), len(rep.Tombstones), len(rep.Cleaned))
}
