// Package aws publishes a disk as Amazon machine images (AMIs): a snapshot, an AMI
// of it, and copies of both in other regions, as cosa's `ore aws upload` and
// `aws-replicate` do. It doesn't make the disk, nor write meta.json.
//
// Everything is found again by its name, and all calls that make something carry
// tokens that follow from what is wanted. So an upload that was killed at any
// instant may be started again, and ends with one snapshot and one AMI a region.
package aws

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ebs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"cosafs/materialize"
	"cosafs/materialize/disk/view"
)

// A Config says what to publish and where. The zero value of what isn't marked as
// needed is usable.
type Config struct {
	// Name is that of the AMI and its snapshot, cosa's `<name>-<id>-<arch>`. Needed.
	Name        string
	Description string
	// Arch is x86_64 or aarch64. Needed.
	Arch string
	// Content tells one disk from another, by what it is made from. What has the name
	// and was made from other content is left alone. The same content may be written
	// as other bytes: a snapshot that was begun for other bytes is left alone, too.
	Content string
	// Regions are where the AMI is to be: the upload goes to the first, the others
	// get copies. Needed.
	Regions []string
	// VolumeType is that of the root disk; gp3 if empty, as cosa has it.
	VolumeType string
	// BootMode is an EC2 boot mode. If empty it is cosa's: uefi-preferred for
	// x86_64, uefi for aarch64.
	BootMode string
	// IMDSv2 makes instances answer to version 2 of the metadata service only.
	IMDSv2 bool
	// Tags go onto AMIs and snapshots, beside Name.
	Tags map[string]string
	// GrantUsers and GrantSnapshotUsers are the account ids that may launch the AMI
	// and make volumes of the snapshot.
	GrantUsers, GrantSnapshotUsers []string
	// Public lets everybody launch the AMI.
	Public bool
	// Force removes what has the name in the regions before the upload.
	Force bool
	// State is a directory for journals of uploads. Without it an upload that is
	// started again sends all of its blocks again.
	State string
	// Parallel is how many blocks are sent at once; 16 if 0.
	Parallel int
	// DryRun, if set, gets the calls in writing, for a build that is nowhere yet;
	// nothing is asked or sent.
	DryRun io.Writer
	// Wait waits between two looks at something that takes time. It returns early
	// with the ctx's cause. Nil is a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// An AMI is an image in a region, with cosa's names of meta.json's `amis`.
type AMI struct {
	Region   string `json:"name"`
	HVM      string `json:"hvm"`
	Snapshot string `json:"snapshot"`
}

// An Uploader publishes one disk. It is for one goroutine.
type Uploader struct {
	op  string // what it does, for errors
	c   Config
	sdk sdk.Config
}

// A region is where calls go to.
type region struct {
	name string
	ec2  *ec2.Client
	ebs  *ebs.Client
}

// New gives an uploader. The credentials, the http client and the endpoint are those
// of cfg; its region isn't used.
func New(cfg sdk.Config, c Config) (*Uploader, error) {
	if err := c.complete(); err != nil {
		return nil, materialize.Fail(materialize.ClassConfig, "aws upload", "see the options of the aws upload", err)
	}
	return &Uploader{op: "aws upload", c: c, sdk: cfg}, nil
}

// attempts is how often a call is tried. EBS throttles each account's puts
// together, so that a busy account needs many.
const attempts = 10

// region gives the clients of a region.
func (u *Uploader) region(name string) *region {
	cfg := u.sdk.Copy()
	cfg.Region = name
	if cfg.Retryer == nil {
		cfg.Retryer = func() sdk.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.RateLimiter = attempts, ratelimit.None
			})
		}
	}
	e := ebs.NewFromConfig(cfg, func(o *ebs.Options) {
		// A snapshot that has just been started may be unknown to the puts for a
		// while (coldsnap, src/upload.rs).
		o.Retryer = retry.AddWithErrorCodes(o.Retryer, "ResourceNotFoundException")
	})
	return &region{name: name, ec2: ec2.NewFromConfig(cfg), ebs: e}
}

// A snapshotter makes the completed snapshot in a region, or finds it.
type snapshotter func(ctx context.Context, r *region) (id string, err error)

// A Disk gives the disk to use while that runs, and its error. It is called when the
// disk is needed, which takes long where it has to be written first.
type Disk func(ctx context.Context, use func(im view.Image) error) error

// Upload publishes a disk by the EBS direct API, which takes its blocks with data
// only. It gives the AMIs in the order of the regions; beside an error those that
// are there already. What is there under the name is taken for it, unless it was
// made from other content: then the error is fs.ErrExist.
func (u *Uploader) Upload(ctx context.Context, disk Disk, t *materialize.Task) ([]AMI, error) {
	if u.c.DryRun != nil {
		return nil, disk(ctx, func(im view.Image) error { return u.printUpload(ctx, im) })
	}
	return u.publish(ctx, t, func(ctx context.Context, r *region) (string, error) {
		return u.direct(ctx, r, disk, t.Part(0, uploadShare))
	})
}

// uploadShare is the part of the work that the first snapshot is.
const uploadShare = 0.7

// publish makes or finds the AMI in all regions.
func (u *Uploader) publish(ctx context.Context, t *materialize.Task, snapshot snapshotter) ([]AMI, error) {
	first := u.region(u.c.Regions[0])
	if u.c.Force {
		if err := u.removeAll(ctx, t); err != nil {
			return nil, u.failure(ctx, "remove what has the name", err)
		}
	}
	ami, err := u.adopt(ctx, first)
	if err == nil && ami == nil {
		ami, err = u.make(ctx, first, snapshot, t)
	}
	if err != nil {
		return nil, u.failure(ctx, "region "+first.name, err)
	}
	t.Phase("share "+ami.HVM, uploadShare)
	if err := u.share(ctx, first, *ami); err != nil {
		return []AMI{*ami}, u.failure(ctx, "region "+first.name, err)
	}
	copies, err := u.copies(ctx, *ami, t.Part(uploadShare, 1))
	return append([]AMI{*ami}, copies...), u.failure(ctx, "copy to other regions", err)
}

// make makes the AMI with its snapshot.
func (u *Uploader) make(ctx context.Context, r *region, snapshot snapshotter, t *materialize.Task) (*AMI, error) {
	id, err := snapshot(ctx, r)
	if err != nil {
		return nil, err
	}
	t.Phase("register AMI of "+id, uploadShare)
	return u.register(ctx, r, id)
}

// complete checks a config, and fills in what has a default.
func (c *Config) complete() error {
	boot := map[string]string{"x86_64": "uefi-preferred", "aarch64": "uefi"}[c.Arch]
	switch {
	case boot == "":
		return fmt.Errorf("AMIs are for x86_64 and aarch64, not for %q", c.Arch)
	case c.Name == "":
		return fmt.Errorf("the AMI has no name")
	case len(c.Regions) == 0 || slices.Contains(c.Regions, ""):
		return fmt.Errorf("no region to upload to")
	}
	c.Regions = unique(c.Regions)
	if c.BootMode == "" {
		c.BootMode = boot
	}
	if c.VolumeType == "" {
		c.VolumeType = "gp3"
	}
	if c.Parallel <= 0 {
		c.Parallel = 16
	}
	if c.Wait == nil {
		c.Wait = wait
	}
	return nil
}

// unique drops what is there twice, and keeps the order.
func unique(names []string) []string {
	var out []string
	for _, name := range names {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
