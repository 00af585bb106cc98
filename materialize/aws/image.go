package aws

import (
	"context"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// rootDevice is the name of the root disk, as ore registers it.
const rootDevice = "/dev/xvda"

// register makes an AMI of a snapshot. Where the name is taken meanwhile, or an answer
// was lost, it takes the AMI that is there, as ore does.
func (u *Uploader) register(ctx context.Context, r *region, snapshot string) (*AMI, error) {
	out, err := r.ec2.RegisterImage(ctx, u.registerInput(snapshot))
	if err == nil {
		return u.waitImage(ctx, r, sdk.ToString(out.ImageId))
	}
	if code(err) != duplicateName {
		return nil, fmt.Errorf("register AMI: %w", err)
	}
	ami, findErr := u.settle(ctx, r)
	if ami == nil && findErr == nil {
		findErr = fmt.Errorf("register AMI: %w", err)
	}
	return ami, findErr
}

// duplicateName is the error code for a name that an AMI of the account has already.
const duplicateName = "InvalidAMIName.Duplicate"

// registerInput is the call that makes an AMI, with ore's settings.
func (u *Uploader) registerInput(snapshot string) *ec2.RegisterImageInput {
	in := &ec2.RegisterImageInput{
		Name: &u.c.Name, Description: &u.c.Description,
		Architecture:       types.ArchitectureValuesX8664,
		VirtualizationType: sdk.String("hvm"),
		RootDeviceName:     sdk.String(rootDevice),
		BlockDeviceMappings: []types.BlockDeviceMapping{
			{DeviceName: sdk.String(rootDevice), Ebs: &types.EbsBlockDevice{
				SnapshotId: &snapshot, DeleteOnTermination: sdk.Bool(true), VolumeType: types.VolumeType(u.c.VolumeType),
			}},
			{DeviceName: sdk.String("/dev/xvdb"), VirtualName: sdk.String("ephemeral0")},
		},
		EnaSupport: sdk.Bool(true), SriovNetSupport: sdk.String("simple"),
		BootMode:          types.BootModeValues(u.c.BootMode),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeImage, Tags: u.tags()}},
	}
	if u.c.Arch == "aarch64" {
		in.Architecture = types.ArchitectureValuesArm64
	}
	if u.c.IMDSv2 {
		in.ImdsSupport = types.ImdsSupportValuesV20
	}
	return in
}

// find gives the account's AMI of the name, nil for none. Those that failed don't count.
func (u *Uploader) find(ctx context.Context, r *region) (*types.Image, error) {
	out, err := r.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{
		Owners:  []string{"self"},
		Filters: []types.Filter{{Name: sdk.String("name"), Values: []string{u.c.Name}}},
	})
	if err != nil {
		return nil, err
	}
	for _, im := range out.Images {
		if im.State == types.ImageStateAvailable || im.State == types.ImageStatePending {
			return &im, nil
		}
	}
	return nil, nil
}

// adopt gives the AMI of the name once it is available, nil for none.
func (u *Uploader) adopt(ctx context.Context, r *region) (*AMI, error) {
	im, err := u.find(ctx, r)
	if err != nil || im == nil {
		return nil, err
	}
	if err := u.sameContent(sdk.ToString(im.ImageId), im.Tags); err != nil {
		return nil, err
	}
	return u.waitImage(ctx, r, sdk.ToString(im.ImageId))
}

// settle is adopt for an AMI that is known to be there, but may not be seen yet.
func (u *Uploader) settle(ctx context.Context, r *region) (ami *AMI, err error) {
	err = u.poll(ctx, settleLimit, "AMI "+u.c.Name, func() (bool, error) {
		ami, err = u.adopt(ctx, r)
		return ami != nil, err
	})
	return ami, err
}

// waitImage waits until an AMI is available.
func (u *Uploader) waitImage(ctx context.Context, r *region, id string) (*AMI, error) {
	ami := &AMI{Region: r.name, HVM: id}
	err := u.poll(ctx, pollLimit, "AMI "+id, func() (bool, error) {
		out, err := r.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{id}})
		switch {
		case code(err) == "InvalidAMIID.NotFound" || err == nil && len(out.Images) == 0:
			return false, nil // not seen yet
		case err != nil:
			return false, err
		}
		im := out.Images[0]
		if im.State != types.ImageStateAvailable && im.State != types.ImageStatePending {
			return false, fmt.Errorf("AMI %s is %s: %w", id, im.State, errState)
		}
		ami.Snapshot = rootSnapshot(im)
		return im.State == types.ImageStateAvailable, nil
	})
	if err != nil {
		return nil, err
	}
	return ami, nil
}

// rootSnapshot gives the snapshot of an AMI's root disk.
func rootSnapshot(im types.Image) string {
	for _, m := range im.BlockDeviceMappings {
		if m.Ebs != nil && m.Ebs.SnapshotId != nil {
			return *m.Ebs.SnapshotId
		}
	}
	return ""
}
