package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

func (p *program) compressCommand() *cli.Command {
	return &cli.Command{
		Name:  "compress",
		Usage: "compress a build's images in place",
		Description: "Images of all architectures are compressed and recorded in meta.json, as cosa does, but for\n" +
			"those that are compressed by nature. Their digests are checked before, and what was written\n" +
			"is read again, before the uncompressed files are deleted. What was compressed goes to\n" +
			"standard output.",
		Flags: append(compressFlags(),
			&cli.StringFlag{Name: "compressor", Usage: "`NAME`: gzip, xz, zstd or zip", DefaultText: "what image.yaml says, else gzip"},
			&cli.BoolFlag{Name: "fast", Usage: "the least effort, with gzip unless --compressor is given"},
			&cli.StringFlag{Name: "mode", Usage: "compress or uncompress", Value: "compress"},
		),
		Action: func(c *cli.Context) error {
			mode := c.String("mode")
			if mode != "compress" && mode != "uncompress" {
				return usagef("compress", "compress: unknown mode %q", mode)
			}
			return p.compress(c, webui.CompressRequest{Compressor: c.String("compressor"), Fast: c.Bool("fast"), Uncompress: mode == "uncompress"})
		},
	}
}

func (p *program) decompressCommand() *cli.Command {
	return &cli.Command{
		Name:    "decompress",
		Aliases: []string{"uncompress"},
		Usage:   "undo compress",
		Description: "Digests are checked before anything is deleted. What was uncompressed goes to standard\n" +
			"output.",
		Flags:  compressFlags(),
		Action: func(c *cli.Context) error { return p.compress(c, webui.CompressRequest{Uncompress: true}) },
	}
}

func compressFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "build", Usage: "of this `BUILD`; may be given again", DefaultText: "latest"},
		&cli.StringSliceFlag{Name: "artifact", Usage: "only the image `KIND`; may be given again", DefaultText: "all"},
	}
}

// compress has the tree do it and prints what became of each image.
func (p *program) compress(c *cli.Context, req webui.CompressRequest) error {
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	req.Builds, req.Kinds = c.StringSlice("build"), c.StringSlice("artifact")
	return p.service(c.Context, func(s webui.Service) error {
		z, ok := s.(webui.Compressor)
		if !ok {
			return fmt.Errorf("%s: %T has no images of its own", c.Command.Name, s)
		}
		done, err := p.runCompress(c.Context, z, req)
		if err != nil {
			return err
		}
		return p.data(done, func() { p.printCompressed(done) })
	})
}

func (p *program) runCompress(ctx context.Context, z webui.Compressor, req webui.CompressRequest) (done []webui.Compressed, err error) {
	err = p.withProgress(func(tell func(materialize.Event)) error {
		done, err = z.Compress(ctx, req, tell)
		return err
	})
	return done, err
}

func (p *program) printCompressed(done []webui.Compressed) {
	changed := false
	for _, d := range done {
		if d.Skipped != "" {
			p.talk("%s of %s for %s %s.", d.Kind, d.Build, d.Arch, d.Skipped)
			continue
		}
		changed = true
		p.say("%10s %10s  %s/%s/%s", size(d.Before), size(d.Size), d.Build, d.Arch, d.File)
	}
	if !changed {
		p.talk("Nothing had to be done.")
	}
}
