package aws

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ebs"
	ebstypes "github.com/aws/aws-sdk-go-v2/service/ebs/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// The states of a snapshot that matter here.
const (
	snapshotCompleted = string(types.SnapshotStateCompleted)
	snapshotPending   = string(types.SnapshotStatePending)
	// snapshotGone is no state of AWS: the snapshot was deleted.
	snapshotGone = "gone"
)

// contentTag is the tag that tells the content of a snapshot.
const contentTag = "cosafs-content"

// completed finds the completed snapshot of the name, "" for none.
func (u *Uploader) completed(ctx context.Context, r *region) (id string, err error) {
	all, err := u.named(ctx, r)
	if err != nil {
		return "", err
	}
	for _, s := range all {
		if s.State != types.SnapshotStateCompleted {
			continue
		}
		if err = u.sameContent(sdk.ToString(s.SnapshotId), s.Tags); err == nil {
			return sdk.ToString(s.SnapshotId), nil
		}
	}
	return "", err
}

// sameContent refuses what is tagged as made from other content. What has no such
// tag was made by another tool, and is taken by its name as that would.
func (u *Uploader) sameContent(id string, tags []types.Tag) error {
	for _, tag := range tags {
		if sdk.ToString(tag.Key) == contentTag && u.c.Content != "" && sdk.ToString(tag.Value) != u.c.Content {
			return fmt.Errorf("%s has the name %s but was made from another disk (--force replaces it): %w", id, u.c.Name, fs.ErrExist)
		}
	}
	return nil
}

// named gives the account's snapshots of the name.
func (u *Uploader) named(ctx context.Context, r *region) ([]types.Snapshot, error) {
	var all []types.Snapshot
	pages := ec2.NewDescribeSnapshotsPaginator(r.ec2, &ec2.DescribeSnapshotsInput{
		OwnerIds: []string{"self"},
		Filters:  []types.Filter{{Name: sdk.String("tag:Name"), Values: []string{u.c.Name}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Snapshots...)
	}
	return all, nil
}

// startLimit is how many snapshots of the same content may have failed or been
// deleted before.
const startLimit = 20

// start starts the snapshot of a disk of that size and checksum over its blocks, or
// gives the one that an earlier run started for it. A token
// whose snapshot came to nothing stands for it as long as AWS remembers, so the next
// token follows from that snapshot's id: every run finds the same one.
func (u *Uploader) start(ctx context.Context, r *region, size int64, checksum string) (id, state string, err error) {
	next := token(u.c.Name, u.c.Content, strconv.FormatInt(size, 10), checksum)
	for range startLimit {
		out, err := r.ebs.StartSnapshot(ctx, u.startInput(next, size))
		if err != nil {
			return "", "", err
		}
		id = sdk.ToString(out.SnapshotId)
		if got := sdk.ToInt32(out.BlockSize); got != blockSize {
			return "", "", fmt.Errorf("snapshot %s has blocks of %d bytes, not %d: %w", id, got, blockSize, errState)
		}
		state, err = u.state(ctx, r, id)
		if err != nil || state == snapshotPending || state == snapshotCompleted {
			return id, state, err
		}
		if state != snapshotGone {
			if err := drop(ctx, r, id); err != nil {
				return "", "", err
			}
		}
		forgetJournal(u.c.State, id)
		next = token(next, id)
	}
	return "", "", fmt.Errorf("snapshot %s is %s, as %d before it: %w", id, state, startLimit-1, errState)
}

// startInput is the call that starts a snapshot.
func (u *Uploader) startInput(clientToken string, size int64) *ebs.StartSnapshotInput {
	in := &ebs.StartSnapshotInput{
		VolumeSize: sdk.Int64(volumeSize(size)), ClientToken: &clientToken,
		Description: &u.c.Description, Timeout: sdk.Int32(startTimeout),
	}
	for _, tag := range u.tags() {
		in.Tags = append(in.Tags, ebstypes.Tag{Key: tag.Key, Value: tag.Value})
	}
	return in
}

// state gives a snapshot's state. One that isn't known for a while is gone.
func (u *Uploader) state(ctx context.Context, r *region, id string) (state string, err error) {
	for i := range settleLimit {
		if i > 0 {
			if err := u.c.Wait(ctx, pollPause); err != nil {
				return "", err
			}
		}
		if state, err = look(ctx, r, id); err != nil || state != snapshotGone {
			return state, err
		}
	}
	return state, nil
}

// look gives a snapshot's state as EC2 tells it now.
func look(ctx context.Context, r *region, id string) (string, error) {
	out, err := r.ec2.DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{SnapshotIds: []string{id}})
	switch {
	case code(err) == "InvalidSnapshot.NotFound", err == nil && len(out.Snapshots) == 0:
		return snapshotGone, nil
	case err != nil:
		return "", err
	}
	return string(out.Snapshots[0].State), nil
}

// waitSnapshot waits until a snapshot is completed, for so many looks.
func (u *Uploader) waitSnapshot(ctx context.Context, r *region, id string, limit int) error {
	return u.poll(ctx, limit, "snapshot "+id, func() (bool, error) {
		state, err := u.state(ctx, r, id)
		if err == nil && state != snapshotCompleted && state != snapshotPending {
			err = fmt.Errorf("snapshot %s is %s: %w", id, state, errState)
		}
		return state == snapshotCompleted, err
	})
}

// tags gives the tags of AMIs and snapshots, in order of their keys.
func (u *Uploader) tags() []types.Tag {
	all := maps.Clone(u.c.Tags)
	if all == nil {
		all = map[string]string{}
	}
	all["Name"] = u.c.Name
	if u.c.Content != "" {
		all[contentTag] = u.c.Content
	}
	var tags []types.Tag
	for _, key := range slices.Sorted(maps.Keys(all)) {
		tags = append(tags, types.Tag{Key: sdk.String(key), Value: sdk.String(all[key])})
	}
	return tags
}
