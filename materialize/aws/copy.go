package aws

import (
	"context"
	"errors"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"golang.org/x/sync/errgroup"

	"cosafs/materialize"
)

// copies puts an AMI into the other regions, all at once. Regions that fail don't
// stop the others: what is there is recorded, and the next run does the rest.
func (u *Uploader) copies(ctx context.Context, source AMI, t *materialize.Task) ([]AMI, error) {
	names := u.c.Regions[1:]
	got, errs := make([]*AMI, len(names)), make([]error, len(names))
	var g errgroup.Group
	for i, name := range names {
		g.Go(func() error {
			t.Phase("copy to "+name, -1)
			if got[i], errs[i] = u.copyTo(ctx, u.region(name), source); errs[i] != nil {
				errs[i] = fmt.Errorf("region %s: %w", name, errs[i])
			}
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	var amis []AMI
	for _, ami := range got {
		if ami != nil {
			amis = append(amis, *ami)
		}
	}
	return amis, errors.Join(errs...)
}

// copyTo copies an AMI to a region, or takes the one that is there.
func (u *Uploader) copyTo(ctx context.Context, r *region, source AMI) (*AMI, error) {
	ami, err := u.adopt(ctx, r)
	if err == nil && ami == nil {
		ami, err = u.copyImage(ctx, r, source)
	}
	if err != nil {
		return nil, err
	}
	return ami, u.share(ctx, r, *ami)
}

// copyImage makes the copy and waits until it is available.
func (u *Uploader) copyImage(ctx context.Context, r *region, source AMI) (*AMI, error) {
	out, err := r.ec2.CopyImage(ctx, u.copyInput(r.name, source))
	if code(err) == duplicateName {
		return u.settle(ctx, r)
	}
	if err != nil {
		return nil, fmt.Errorf("copy %s: %w", source.HVM, err)
	}
	return u.waitImage(ctx, r, sdk.ToString(out.ImageId))
}

// copyInput is the call that copies an AMI into a region.
func (u *Uploader) copyInput(region string, source AMI) *ec2.CopyImageInput {
	return &ec2.CopyImageInput{
		Name: &u.c.Name, Description: &u.c.Description, SourceImageId: &source.HVM, SourceRegion: &source.Region,
		ClientToken: sdk.String(token("copy", source.Region, source.HVM, region)), CopyImageTags: sdk.Bool(true),
	}
}
