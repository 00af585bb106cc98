package aws

import (
	"context"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"cosafs/materialize"
)

// removeAll removes what has the name, in all regions.
func (u *Uploader) removeAll(ctx context.Context, t *materialize.Task) error {
	for _, name := range u.c.Regions {
		t.Phase("remove "+u.c.Name+" from "+name, -1)
		if err := u.remove(ctx, u.region(name)); err != nil {
			return fmt.Errorf("region %s: %w", name, err)
		}
	}
	return nil
}

// remove removes a region's AMI of the name and the snapshots of it. The AMI goes
// first: EC2 keeps a snapshot that an AMI uses.
func (u *Uploader) remove(ctx context.Context, r *region) error {
	gone := map[string]bool{}
	im, err := u.find(ctx, r)
	if err != nil {
		return err
	}
	if im != nil {
		if _, err := r.ec2.DeregisterImage(ctx, &ec2.DeregisterImageInput{ImageId: im.ImageId}); err != nil {
			return fmt.Errorf("deregister %s: %w", sdk.ToString(im.ImageId), err)
		}
		if id := rootSnapshot(*im); id != "" {
			gone[id] = true
		}
	}
	all, err := u.named(ctx, r)
	if err != nil {
		return err
	}
	for _, s := range all {
		gone[sdk.ToString(s.SnapshotId)] = true
	}
	for id := range gone {
		if err := drop(ctx, r, id); err != nil {
			return err
		}
	}
	return nil
}

// drop deletes a snapshot; it may be gone already.
func drop(ctx context.Context, r *region, id string) error {
	_, err := r.ec2.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: &id})
	if err != nil && code(err) != "InvalidSnapshot.NotFound" {
		return fmt.Errorf("delete %s: %w", id, err)
	}
	return nil
}
