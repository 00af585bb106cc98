package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"cosafs/cmd/internal/ami"
	"cosafs/cmd/internal/workdir"
	"cosafs/materialize"
	"cosafs/materialize/aws"
)

func (p *program) awsCommand() *cli.Command {
	return &cli.Command{
		Name:        "aws",
		Usage:       "publish a build as machine images of AWS",
		Subcommands: []*cli.Command{p.awsUploadCommand(), p.awsReplicateCommand()},
		Action:      func(c *cli.Context) error { return usagef("aws", "aws: upload or replicate?") },
	}
}

func (p *program) awsUploadCommand() *cli.Command {
	return &cli.Command{
		Name:      "upload",
		Usage:     "make a snapshot and an AMI of a build's disk, and copies in other regions",
		ArgsUsage: "[BUILD]",
		Description: "Sends the blocks of the disk that hold data by the EBS direct API; with --bucket it puts the\n" +
			"VMDK into S3 and has AWS import it, as cosa does; the build gets and keeps that file. What an\n" +
			"earlier run began is gone on with, what is there under the name is taken. amis of meta.json has\n" +
			"what came of it. cosa's names work, too: buildextend-aws --upload, buildextend-ec2, imageupload-aws.",
		Flags: append(awsFlags(),
			&cli.StringSliceFlag{Name: "region", Usage: "upload to `REGION`; may be given again, and those get copies", DefaultText: "us-east-1"},
			&cli.StringFlag{Name: "bucket", Usage: "import from `URL`, s3://BUCKET or s3://BUCKET/PREFIX in the first region"},
			&cli.StringFlag{Name: "name", Usage: "`NAME` of AMI and snapshot", DefaultText: "OS-BUILD-ARCH"},
			&cli.StringFlag{Name: "name-suffix", Usage: "put `SUFFIX` behind the name"},
			&cli.StringSliceFlag{Name: "tags", Usage: "tag AMI and snapshot with `KEY=VALUE`; may be given again"},
			&cli.StringSliceFlag{Name: "grant-user", Usage: "`ACCOUNT` may launch the AMI; may be given again"},
			&cli.StringSliceFlag{Name: "grant-user-snapshot", Usage: "`ACCOUNT` may make volumes of the snapshot; may be given again"},
			&cli.BoolFlag{Name: "public", Usage: "everybody may launch the AMI"},
			&cli.BoolFlag{Name: "force", Usage: "remove what has the name before"},
			&cli.BoolFlag{Name: "upload", Hidden: true}, // of buildextend-aws
		),
		Action: func(c *cli.Context) error {
			o, err := p.awsOptions(c)
			if err != nil {
				return err
			}
			if url := c.String("bucket"); url != "" {
				return p.awsImport(c.Context, url, o)
			}
			return p.awsUpload(c.Context, o)
		},
	}
}

func (p *program) awsReplicateCommand() *cli.Command {
	return &cli.Command{
		Name:      "replicate",
		Usage:     "copy a build's AMI into more regions",
		ArgsUsage: "[BUILD]",
		Description: "Copies it with its tags and permissions into the regions, or all that the account has, but those\n" +
			"of amis in meta.json, where the copies are recorded. cosa's name works, too: aws-replicate.",
		Flags: append(awsFlags(),
			&cli.StringSliceFlag{Name: "region", Usage: "copy to `REGION`; may be given again", DefaultText: "all"},
			&cli.StringFlag{Name: "source-region", Usage: "copy the AMI of `REGION`", DefaultText: "the first"},
		),
		Action: func(c *cli.Context) error {
			build, err := awsBuild(c)
			if err != nil {
				return err
			}
			o := ami.CopyOptions{Build: build, Arch: p.arch(), Source: c.String("source-region"), Regions: c.StringSlice("region"), DryRun: p.awsDry(c)}
			if o.DryRun != nil && len(o.Regions) == 0 {
				return usagef("aws replicate", "aws replicate: --dry-run asks nothing, so it needs --region")
			}
			return p.withAccount(c.Context, func(w *workdir.Workdir, account *aws.Account, talk ami.Talk) (ami.Report, error) {
				o.Talk = talk
				return ami.Replicate(c.Context, w, account, o)
			})
		},
	}
}

// awsFlags are the options of both commands.
func awsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "build", Aliases: []string{"b"}, Usage: "the `BUILD` as an option, which is cosa's spelling", DefaultText: "the latest"},
		&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "print the calls, and send none"},
	}
}

// awsBuild gives the build that is meant, "" for the latest.
func awsBuild(c *cli.Context) (string, error) {
	if c.IsSet("build") && c.NArg() > 0 {
		name := fullName(c.Command)
		return "", usagef(name, "%s: --build and %s say the same thing twice", name, c.Args().First())
	}
	if c.IsSet("build") {
		return c.String("build"), nil
	}
	return c.Args().First(), wantArgs(c, 0, 1)
}

// awsDry is where the calls of a dry run are printed.
func (p *program) awsDry(c *cli.Context) io.Writer {
	if c.Bool("dry-run") {
		return p.stdout
	}
	return nil
}

// awsOptions reads the command line of an upload.
func (p *program) awsOptions(c *cli.Context) (ami.Options, error) {
	build, err := awsBuild(c)
	if err != nil {
		return ami.Options{}, err
	}
	o := ami.Options{
		Build: build, Arch: p.arch(), Regions: c.StringSlice("region"), Name: c.String("name"), Suffix: c.String("name-suffix"),
		Tags: map[string]string{}, GrantUsers: c.StringSlice("grant-user"), GrantSnapshotUsers: c.StringSlice("grant-user-snapshot"),
		Public: c.Bool("public"), Force: c.Bool("force"), DryRun: p.awsDry(c),
	}
	for _, tag := range c.StringSlice("tags") {
		key, value, ok := strings.Cut(tag, "=")
		if !ok || key == "" {
			return o, usagef("aws upload", "aws upload: tag %q is not KEY=VALUE", tag)
		}
		o.Tags[key] = value
	}
	return o, nil
}

// awsUpload publishes a build.
func (p *program) awsUpload(ctx context.Context, o ami.Options) error {
	return p.withAccount(ctx, func(w *workdir.Workdir, account *aws.Account, talk ami.Talk) (ami.Report, error) {
		o.Talk, o.State = talk, filepath.Join(w.StateDir(), "aws")
		return ami.Upload(ctx, w, account, o)
	})
}

// awsImport publishes a build by way of a bucket.
func (p *program) awsImport(ctx context.Context, url string, o ami.Options) error {
	bucket, err := ami.ParseBucket(url)
	if err != nil {
		return fmt.Errorf("--bucket: %w", err)
	}
	at := "s3://" + bucket.Name
	if len(o.Regions) > 0 && p.endpoint() == "" {
		at += "?region=" + o.Regions[0]
	}
	return p.withStore(ctx, at, storeOptions{}, func(s openStore) error {
		bucket.Store, o.Bucket = s.store, &bucket
		return p.awsUpload(ctx, o)
	})
}

// withAccount runs work on the build directory and the account, and prints its report.
// A daemon isn't needed: what it does and what work does exclude each other by locks.
func (p *program) withAccount(ctx context.Context, work func(*workdir.Workdir, *aws.Account, ami.Talk) (ami.Report, error)) (err error) {
	if err := p.checkWorkdir(); err != nil {
		return err
	}
	account, err := aws.Open(ctx, aws.Access{ConfigFile: p.cfg.AWSConfig, CAFile: p.cfg.CA})
	if err != nil {
		return err
	}
	w, err := p.openWorkdir(ctx, p.logger(slog.LevelError))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close(context.WithoutCancel(ctx))) }()
	var rep ami.Report
	workErr := p.withProgress(func(tell func(materialize.Event)) (err error) {
		talk := ami.Talk{Tell: tell}
		if p.cfg.Verbose {
			talk.Log = p.stderr
		}
		rep, err = work(w, account, talk)
		return err
	})
	return p.awsReport(rep, workErr)
}

// awsReport prints what is published, also where some of it failed.
func (p *program) awsReport(rep ami.Report, failed error) error {
	if rep.Build == "" {
		return failed
	}
	if len(rep.AMIs) == 0 && failed == nil {
		p.talk("Build %s is in every region already.", rep.Build)
	}
	return errors.Join(failed, p.data(rep, func() {
		for _, a := range rep.AMIs {
			p.say("%s %s %s", a.Region, a.HVM, a.Snapshot)
		}
	}))
}
