package ami

import (
	"context"
	"io"
	"io/fs"
	"slices"

	"cosafs/index"
	"cosafs/materialize"
	"cosafs/materialize/aws"
)

// CopyOptions say which AMI of a build to copy, and where to.
type CopyOptions struct {
	Build string // "" or latest for the newest
	Arch  string
	// Source is the region of the AMI that is copied; "" = that of the first recorded.
	Source string
	// Regions are where copies are to be; none are all that the account has.
	Regions []string
	// DryRun, if set, gets the calls in writing instead of AWS. It needs Regions.
	DryRun io.Writer

	Talk
}

// Replicate copies a build's AMI into regions that have none, as cosa aws-replicate
// does, and records the copies. Those that are there are recorded and reported beside
// an error, too.
func Replicate(ctx context.Context, b Builds, account *aws.Account, o CopyOptions) (Report, error) {
	disk, err := b.PlatformDisk(ctx, o.Build, o.Arch, Kind) // for the build alone
	if err != nil {
		return Report{}, err
	}
	have, err := b.AMIs(ctx, disk.Build.ID, disk.Build.Arch)
	if err != nil {
		return Report{}, err
	}
	p := aws.Replication{Regions: o.Regions, DryRun: o.DryRun}
	for _, ami := range have {
		p.Have = append(p.Have, ami.Region)
	}
	if p.Source, err = source(have, o.Source, disk.Build.ID); err != nil {
		return Report{}, err
	}
	if err := recordable(ctx, b, disk.Build, o.DryRun); err != nil {
		return Report{}, err
	}
	made, err := account.Replicate(ctx, p, o.task())
	if o.DryRun != nil {
		return Report{}, err
	}
	return record(ctx, b, disk.Build, made, err)
}

// source gives the AMI of a region, "" for the first.
func source(have []index.AMI, region, build string) (aws.AMI, error) {
	i := slices.IndexFunc(have, func(ami index.AMI) bool { return region == "" || ami.Region == region })
	switch {
	case i >= 0:
		return aws.AMI(have[i]), nil
	case region != "":
		return aws.AMI{}, materialize.Fail(materialize.ClassConfig, "replicate "+build, "name one of the regions of amis in meta.json, or none",
			materialize.Says(fs.ErrNotExist, "meta.json has no AMI in %s", region))
	}
	return aws.AMI{}, materialize.Fail(materialize.ClassConfig, "replicate "+build, "cosafs aws upload makes the first AMI",
		materialize.Says(fs.ErrNotExist, "meta.json has no AMI"))
}
