package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"cosafs/materialize"
)

// A Replication says which AMI to copy, and where to.
type Replication struct {
	// Source is the AMI, with its region. Needed.
	Source AMI
	// Regions are where copies are to be; none are all that the account has beside
	// Source's, in its partition of AWS.
	Regions []string
	// Have are regions that have a copy already.
	Have []string
	// DryRun, if set, gets the calls in writing; nothing is asked or sent. It needs
	// Regions.
	DryRun io.Writer
	// Wait is as in [Config].
	Wait func(ctx context.Context, d time.Duration) error
}

// Replicate copies an AMI with its tags, with the accounts that may launch it and make
// volumes of its snapshot, and whether it is public. Regions that fail don't stop the
// others; their errors come beside the copies that are there. One that has an AMI of
// the name is done.
func (a *Account) Replicate(ctx context.Context, p Replication, t *materialize.Task) ([]AMI, error) {
	u := &Uploader{op: "aws replicate", sdk: a.sdk, c: Config{Name: p.Source.HVM, Wait: p.Wait, DryRun: p.DryRun}}
	if u.c.Wait == nil {
		u.c.Wait = wait
	}
	if err := u.replicas(ctx, p); err != nil {
		return nil, u.failure(ctx, "find regions", err)
	}
	if len(u.c.Regions) == 1 {
		return nil, nil // nothing to do
	}
	if p.DryRun != nil {
		u.c.Name = "<name>"
		return nil, (&printer{u: u}).copies(p.Source)
	}
	if err := u.like(ctx, u.region(p.Source.Region), p.Source); err != nil {
		return nil, u.failure(ctx, "region "+p.Source.Region, err)
	}
	copies, err := u.copies(ctx, p.Source, t)
	return copies, u.failure(ctx, "copy to other regions", err)
}

// replicas sets the regions: the source's, then those of the copies.
func (u *Uploader) replicas(ctx context.Context, p Replication) error {
	names := p.Regions
	if len(names) == 0 {
		if p.DryRun != nil {
			return errors.New("a dry run doesn't ask AWS for its regions")
		}
		var err error
		if names, err = u.allRegions(ctx, p.Source.Region); err != nil {
			return err
		}
	}
	names = slices.DeleteFunc(unique(names), func(name string) bool {
		return name == p.Source.Region || slices.Contains(p.Have, name)
	})
	u.c.Regions = append([]string{p.Source.Region}, names...)
	return nil
}

// allRegions lists the regions that the account has in the partition of one of them.
func (u *Uploader) allRegions(ctx context.Context, one string) ([]string, error) {
	out, err := u.region(one).ec2.DescribeRegions(ctx, &ec2.DescribeRegionsInput{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range out.Regions {
		names = append(names, sdk.ToString(r.RegionName))
	}
	slices.Sort(names)
	return names, nil
}

// like takes name, tags and permissions from an AMI.
func (u *Uploader) like(ctx context.Context, r *region, ami AMI) error {
	out, err := r.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{ami.HVM}})
	if err == nil && len(out.Images) == 0 {
		err = fmt.Errorf("AMI %s is not there: %w", ami.HVM, errState)
	}
	if err != nil {
		return err
	}
	im := out.Images[0]
	u.c.Name, u.c.Description = sdk.ToString(im.Name), sdk.ToString(im.Description)
	u.c.Tags = map[string]string{}
	for _, tag := range im.Tags {
		u.c.Tags[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
	}
	u.c.Content = u.c.Tags[contentTag]
	if err := u.likeLaunch(ctx, r, ami.HVM); err != nil {
		return err
	}
	return u.likeVolumes(ctx, r, rootSnapshot(im))
}

// likeLaunch takes the permissions to launch an AMI.
func (u *Uploader) likeLaunch(ctx context.Context, r *region, id string) error {
	out, err := r.ec2.DescribeImageAttribute(ctx, &ec2.DescribeImageAttributeInput{
		ImageId: &id, Attribute: types.ImageAttributeNameLaunchPermission,
	})
	if err != nil {
		return fmt.Errorf("launch permissions of %s: %w", id, err)
	}
	for _, p := range out.LaunchPermissions {
		u.c.Public = u.c.Public || p.Group == types.PermissionGroupAll
		if p.UserId != nil {
			u.c.GrantUsers = append(u.c.GrantUsers, *p.UserId)
		}
	}
	return nil
}

// likeVolumes takes the permissions to make volumes of a snapshot.
func (u *Uploader) likeVolumes(ctx context.Context, r *region, id string) error {
	out, err := r.ec2.DescribeSnapshotAttribute(ctx, &ec2.DescribeSnapshotAttributeInput{
		SnapshotId: &id, Attribute: types.SnapshotAttributeNameCreateVolumePermission,
	})
	if err != nil {
		return fmt.Errorf("volume permissions of %s: %w", id, err)
	}
	for _, p := range out.CreateVolumePermissions {
		if p.UserId != nil {
			u.c.GrantSnapshotUsers = append(u.c.GrantSnapshotUsers, *p.UserId)
		}
	}
	return nil
}
