package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"cosafs/cmd/internal/fetch"
	"cosafs/materialize"
)

// streamURL is where Fedora CoreOS publishes the builds of a stream: cosa
// buildfetch's default.
const streamURL = "https://builds.coreos.fedoraproject.org/prod/streams/%s/builds"

func (p *program) fetchCommand() *cli.Command {
	return &cli.Command{
		Name:      "fetch",
		Aliases:   []string{"buildfetch", "buildprep"},
		Usage:     "bring a build from a store into the build directory",
		ArgsUsage: "[URL]",
		Description: "Brings builds.json and the newest build's metadata, and the artifacts that are asked for,\n" +
			"checked against meta.json. What an interrupted fetch brought is not brought again.\n" +
			"URL is s3://BUCKET/PREFIX, https://HOST/PATH or a directory: where builds.json lies.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "url", Usage: "the same as the argument `URL`"},
			&cli.StringFlag{Name: "stream", Usage: "fetch from Fedora CoreOS stream `STREAM`"},
			&cli.StringFlag{Name: "build", Aliases: []string{"b"}, Usage: "fetch build `ID` (default: the newest)"},
			&cli.StringSliceFlag{Name: "artifact", Usage: "fetch artifact `KIND`, or all, too"},
			&cli.StringSliceFlag{Name: "file", Usage: "fetch file `NAME` of the build, too"},
			&cli.BoolFlag{Name: "all-arches", Usage: "fetch for every architecture of the build, not only for --arch"},
			&cli.BoolFlag{Name: "find-build-for-arch", Usage: "fetch the newest build that has --arch"},
			&cli.BoolFlag{Name: "force", Aliases: []string{"refresh-list"}, Usage: "replace a builds.json that was changed here since the last fetch"},
			&cli.BoolFlag{Name: "decompress", Usage: "uncompress the artifacts that were fetched"},
		},
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 1); err != nil {
				return err
			}
			url, err := p.fetchURL(c)
			if err != nil {
				return err
			}
			if err := p.checkWorkdir(); err != nil {
				return err
			}
			return p.fetch(c.Context, url, fetch.Options{
				Build: c.String("build"), Arches: p.fetchArches(c), Artifacts: c.StringSlice("artifact"), Files: c.StringSlice("file"),
				Force: c.Bool("force"), FindBuildForArch: c.Bool("find-build-for-arch"), Decompress: c.Bool("decompress"),
			})
		},
	}
}

// fetchURL says where to fetch from: what was named in one of three ways, else
// the first store of the configuration.
func (p *program) fetchURL(c *cli.Context) (string, error) {
	named := []string{}
	for _, url := range []string{c.Args().First(), c.String("url")} {
		if url != "" {
			named = append(named, url)
		}
	}
	if stream := c.String("stream"); stream != "" {
		named = append(named, fmt.Sprintf(streamURL, stream))
	}
	switch {
	case len(named) > 1:
		return "", usagef("fetch", "one place to fetch from, not %d: the argument, --url or --stream", len(named))
	case len(named) == 1:
		return named[0], nil
	case len(p.cfg.Stores) > 0:
		return p.cfg.Stores[0], nil
	}
	return "", usagef("fetch", "fetch: argument missing: URL, or --stream testing-devel")
}

func (p *program) fetchArches(c *cli.Context) []string {
	if c.Bool("all-arches") || p.cfg.Arch == "all" {
		return []string{"all"}
	}
	return nil
}

func (p *program) fetch(ctx context.Context, url string, o fetch.Options) error {
	return p.withStore(ctx, url, storeOptions{}, func(s openStore) error {
		o.Workdir, o.Store, o.URL, o.Arch, o.LockWait = p.cfg.Workdir, s.store, s.name, p.arch(), p.cfg.LockWait
		var rep fetch.Report
		err := p.withProgress(func(tell func(materialize.Event)) (err error) {
			o.Tell = tell
			rep, err = fetch.Run(ctx, o)
			return err
		})
		if err != nil {
			return fmt.Errorf("fetch from %s: %w", s.name, err)
		}
		return p.data(rep, func() { p.printFetched(rep) })
	})
}

func (p *program) printFetched(rep fetch.Report) {
	for _, name := range rep.Fetched {
		p.say("fetched  %s", name)
	}
	for _, name := range rep.Skipped {
		p.say("here     %s", name)
	}
	for _, note := range rep.Notes {
		p.talk("note: %s", note)
	}
	if rep.Build != "" {
		p.say("Build: %s, %s fetched", rep.Build, size(rep.Bytes))
	}
}
