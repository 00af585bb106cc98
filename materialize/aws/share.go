package aws

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// share gives an AMI and its snapshot their tags and permissions. All of it may be
// done twice.
func (u *Uploader) share(ctx context.Context, r *region, ami AMI) error {
	if _, err := r.ec2.CreateTags(ctx, u.tagInput(ami)); err != nil {
		return fmt.Errorf("tag %s: %w", ami.HVM, err)
	}
	if in := u.launchInput(ami); in != nil {
		if _, err := r.ec2.ModifyImageAttribute(ctx, in); err != nil {
			return fmt.Errorf("launch permissions of %s: %w", ami.HVM, err)
		}
	}
	if in := u.volumeInput(ami); in != nil {
		if _, err := r.ec2.ModifySnapshotAttribute(ctx, in); err != nil {
			return fmt.Errorf("volume permissions of %s: %w", ami.Snapshot, err)
		}
	}
	return nil
}

// tagInput is the call that tags an AMI and its snapshot.
func (u *Uploader) tagInput(ami AMI) *ec2.CreateTagsInput {
	return &ec2.CreateTagsInput{Resources: []string{ami.HVM, ami.Snapshot}, Tags: u.tags()}
}

// launchInput is the call that lets others launch an AMI, nil if nobody may.
func (u *Uploader) launchInput(ami AMI) *ec2.ModifyImageAttributeInput {
	var add []types.LaunchPermission
	for _, user := range u.c.GrantUsers {
		add = append(add, types.LaunchPermission{UserId: &user})
	}
	if u.c.Public {
		add = append(add, types.LaunchPermission{Group: types.PermissionGroupAll})
	}
	if add == nil {
		return nil
	}
	return &ec2.ModifyImageAttributeInput{ImageId: &ami.HVM, LaunchPermission: &types.LaunchPermissionModifications{Add: add}}
}

// volumeInput is the call that lets others make volumes of a snapshot, nil if nobody
// may.
func (u *Uploader) volumeInput(ami AMI) *ec2.ModifySnapshotAttributeInput {
	var add []types.CreateVolumePermission
	for _, user := range u.c.GrantSnapshotUsers {
		add = append(add, types.CreateVolumePermission{UserId: &user})
	}
	if add == nil {
		return nil
	}
	return &ec2.ModifySnapshotAttributeInput{
		SnapshotId: &ami.Snapshot, CreateVolumePermission: &types.CreateVolumePermissionModifications{Add: add},
	}
}
