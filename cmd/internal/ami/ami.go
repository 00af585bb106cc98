// Package ami publishes builds as machine images of AWS: it gives materialize/aws the
// disk and the settings of a build, and records in meta.json what came of it.
package ami

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"cosafs/index"
	"cosafs/materialize"
	"cosafs/materialize/aws"
)

// Kind is the artifact whose disk is published.
const Kind = "aws"

// Builds are where a build is found and its AMIs are recorded: a
// [cosafs/cmd/internal/workdir.Workdir].
type Builds interface {
	// PlatformDisk finds the disk of a build, "" or latest for the newest.
	PlatformDisk(ctx context.Context, build, arch, kind string) (materialize.PlatformDisk, error)
	// Materialise makes the file of a path of the tree exist.
	Materialise(ctx context.Context, path string, tell func(materialize.Event)) (materialize.Result, error)
	// AMIs gives what is recorded, in the order of the uploads.
	AMIs(ctx context.Context, build, arch string) ([]index.AMI, error)
	// AddAMIs records AMIs, of each region the last. With none it says whether it could.
	AddAMIs(ctx context.Context, build, arch string, amis []index.AMI) error
}

// A Talk is where work tells what it does.
type Talk struct {
	Tell func(materialize.Event) // progress; it may be called by several goroutines
	Log  io.Writer               // what else there is to say; nil = nobody listens
}

// task gives the task of one work.
func (k Talk) task() *materialize.Task {
	return &materialize.Task{Log: k.Log, Progress: func(phase string, fraction float64) {
		if k.Tell != nil {
			k.Tell(materialize.Event{Phase: phase, Fraction: fraction})
		}
	}}
}

// A Report says what was published. It is zero where nothing could be, as in a dry run.
type Report struct {
	Build string      `json:"build"`
	Arch  string      `json:"arch"`
	AMIs  []index.AMI `json:"amis"` // in the order of the regions
}

// Options say what to publish, and where; see [aws.Config].
type Options struct {
	Build string // "" or latest for the newest
	Arch  string
	// Regions are where the AMI is to be, the first being that of the upload; none
	// are us-east-1, cosa's default.
	Regions []string
	// Name is the AMI's; "" = cosa's `<name>-<id>-<arch>`. Suffix goes behind it.
	Name, Suffix string

	Tags                           map[string]string
	GrantUsers, GrantSnapshotUsers []string
	Public, Force                  bool

	// Bucket, if set, is where the VMDK goes for AWS to import it.
	Bucket *Bucket
	// State is a directory for what an interrupted upload leaves for the next.
	State string
	// DryRun, if set, gets the calls in writing instead of AWS.
	DryRun io.Writer

	Talk
}

// Upload publishes a build's disk as AMIs and records them. What is published already
// is found again. The report of what is there comes beside an error, too.
func Upload(ctx context.Context, b Builds, account *aws.Account, o Options) (Report, error) {
	disk, err := b.PlatformDisk(ctx, o.Build, o.Arch, Kind)
	if err != nil {
		return Report{}, err
	}
	c, err := o.config(disk)
	if err != nil {
		return Report{}, err
	}
	u, err := account.Uploader(c)
	if err != nil {
		return Report{}, err
	}
	if err := recordable(ctx, b, disk.Build, o.DryRun); err != nil {
		return Report{}, err
	}
	var amis []aws.AMI
	t := o.task()
	if o.Bucket != nil {
		amis, err = u.Import(ctx, o.Bucket.object(b, disk.Build, o.Force, o.Talk), t)
	} else {
		amis, err = u.Upload(ctx, imageOf(disk, t.Part(0, diskShare)), t.Part(diskShare, 1))
	}
	if o.DryRun != nil {
		return Report{}, err
	}
	return record(ctx, b, disk.Build, amis, err)
}

// diskShare is the part of the work that the writing of a disk is.
const diskShare = 0.2

// recordable says before anything is made whether it can be recorded. A dry run needn't.
func recordable(ctx context.Context, b Builds, build materialize.Build, dry io.Writer) error {
	if dry != nil {
		return nil
	}
	return b.AddAMIs(ctx, build.ID, build.Arch, nil)
}

// record records AMIs. What is there is recorded although the work failed or was
// interrupted.
func record(ctx context.Context, b Builds, build materialize.Build, made []aws.AMI, err error) (Report, error) {
	rep := Report{Build: build.ID, Arch: build.Arch, AMIs: []index.AMI{}}
	for _, ami := range made {
		rep.AMIs = append(rep.AMIs, index.AMI(ami))
	}
	if len(made) > 0 {
		err = errors.Join(err, b.AddAMIs(context.WithoutCancel(ctx), build.ID, build.Arch, rep.AMIs))
	}
	return rep, err
}

// settings are the keys of image.json about AMIs.
type settings struct {
	IMDSv2     bool   `json:"aws-imdsv2-only"`
	VolumeType string `json:"aws-volume-type"`
	BootMode   string `json:"aws-x86-boot-mode"`
}

// config gives what to publish: name and description as cosa has them, and the
// settings that the build was composed with.
func (o Options) config(d materialize.PlatformDisk) (aws.Config, error) {
	var s settings
	if err := json.Unmarshal(d.ImageJSON, &s); err != nil {
		return aws.Config{}, fmt.Errorf("image.json of %s: %w", d.Build.ID, err)
	}
	b := d.Build
	c := aws.Config{
		Name: o.Name, Description: strings.TrimSpace(b.Summary + " " + b.ID + " " + b.Arch), Arch: b.Arch, Content: d.Key,
		Regions: o.Regions, VolumeType: s.VolumeType, IMDSv2: s.IMDSv2, Tags: o.Tags,
		GrantUsers: o.GrantUsers, GrantSnapshotUsers: o.GrantSnapshotUsers, Public: o.Public, Force: o.Force,
		State: o.State, DryRun: o.DryRun,
	}
	if c.Name == "" {
		c.Name = b.Name + "-" + b.ID + "-" + b.Arch
	}
	c.Name += o.Suffix
	if len(c.Regions) == 0 {
		c.Regions = []string{"us-east-1"}
	}
	if b.Arch == "x86_64" {
		c.BootMode = s.BootMode
	}
	return c, nil
}
