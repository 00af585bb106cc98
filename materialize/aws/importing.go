package aws

import (
	"context"
	"fmt"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"cosafs/materialize"
)

// An Object is a stream-optimised VMDK in S3, from which AWS makes the snapshot.
type Object struct {
	// Bucket and Key say where it lies, in the first region. Needed.
	Bucket, Key string
	// Put puts it there, unless it is there. It runs only when the snapshot has to be
	// made. Needed.
	Put func(ctx context.Context) error
	// Delete, if set, deletes it once the snapshot is completed.
	Delete func(ctx context.Context) error
}

// Import publishes a disk by ImportSnapshot from S3, the way of cosa. The account
// needs the service role vmimport, which reads the bucket. For the rest it is as
// Upload.
func (u *Uploader) Import(ctx context.Context, o Object, t *materialize.Task) ([]AMI, error) {
	if u.c.DryRun != nil {
		return nil, u.printImport(o)
	}
	return u.publish(ctx, t, func(ctx context.Context, r *region) (string, error) {
		return u.imported(ctx, r, o, t.Part(0, uploadShare))
	})
}

// imported makes the snapshot by an import, or goes on with a running one.
func (u *Uploader) imported(ctx context.Context, r *region, o Object, t *materialize.Task) (string, error) {
	if id, err := u.completed(ctx, r); id != "" || err != nil {
		return id, err
	}
	task, err := u.importTask(ctx, r, o, t)
	if err != nil {
		return "", err
	}
	t.Phase("import "+task, -1)
	id, err := u.waitImport(ctx, r, task)
	if err != nil {
		return "", err
	}
	// An import takes no tags for its snapshot, and by the name the next run finds it.
	_, err = r.ec2.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: u.tags()})
	if err == nil && o.Delete != nil {
		err = o.Delete(ctx)
	}
	return id, err
}

// importTask gives the import of the name that runs or whose snapshot is there, or
// starts one. The token of a new one follows from those that came to nothing before:
// an answer that was lost makes no second import.
func (u *Uploader) importTask(ctx context.Context, r *region, o Object, t *materialize.Task) (string, error) {
	ended := []string{"import", u.c.Name, u.c.Content, o.Bucket, o.Key}
	pages := ec2.NewDescribeImportSnapshotTasksPaginator(r.ec2, &ec2.DescribeImportSnapshotTasksInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, task := range page.ImportSnapshotTasks {
			if sdk.ToString(task.Description) != u.importName() {
				continue
			}
			if live, err := u.live(ctx, r, task.SnapshotTaskDetail); live || err != nil {
				return sdk.ToString(task.ImportTaskId), err
			}
			ended = append(ended, sdk.ToString(task.ImportTaskId))
		}
	}
	slices.Sort(ended) // AWS lists in no order
	t.Phase("put s3://"+o.Bucket+"/"+o.Key, -1)
	if err := o.Put(ctx); err != nil {
		return "", fmt.Errorf("put s3://%s/%s: %w", o.Bucket, o.Key, err)
	}
	out, err := r.ec2.ImportSnapshot(ctx, u.importInput(token(ended...), o))
	if err != nil {
		return "", fmt.Errorf("import s3://%s/%s: %w", o.Bucket, o.Key, err)
	}
	return sdk.ToString(out.ImportTaskId), nil
}

// live says whether an import runs, or its snapshot is there.
func (u *Uploader) live(ctx context.Context, r *region, d *types.SnapshotTaskDetail) (bool, error) {
	if d == nil || sdk.ToString(d.SnapshotId) == "" {
		return d != nil && sdk.ToString(d.Status) == importActive, nil
	}
	state, err := look(ctx, r, *d.SnapshotId)
	return state == snapshotCompleted || state == snapshotPending, err
}

// importActive is the status of an import that runs.
const importActive = "active"

// importName is the description by which an import is found: ore has the name alone.
func (u *Uploader) importName() string {
	if u.c.Content == "" {
		return u.c.Name
	}
	return u.c.Name + " " + token(u.c.Content)[:12]
}

// importInput is the call that starts an import.
func (u *Uploader) importInput(clientToken string, o Object) *ec2.ImportSnapshotInput {
	return &ec2.ImportSnapshotInput{
		RoleName: sdk.String("vmimport"), Description: sdk.String(u.importName()), ClientToken: &clientToken,
		DiskContainer: &types.SnapshotDiskContainer{
			Description: sdk.String(u.importName()), Format: sdk.String("VMDK"),
			UserBucket: &types.UserBucket{S3Bucket: &o.Bucket, S3Key: &o.Key},
		},
	}
}

// waitImport waits for an import's snapshot.
func (u *Uploader) waitImport(ctx context.Context, r *region, task string) (id string, err error) {
	err = u.poll(ctx, pollLimit, "import "+task, func() (bool, error) {
		out, err := r.ec2.DescribeImportSnapshotTasks(ctx, &ec2.DescribeImportSnapshotTasksInput{ImportTaskIds: []string{task}})
		if err != nil || len(out.ImportSnapshotTasks) == 0 || out.ImportSnapshotTasks[0].SnapshotTaskDetail == nil {
			return false, err
		}
		d := out.ImportSnapshotTasks[0].SnapshotTaskDetail
		switch sdk.ToString(d.Status) {
		case "completed":
			id = sdk.ToString(d.SnapshotId)
			return true, nil
		case importActive:
			return false, nil
		}
		return false, fmt.Errorf("import %s is %s: %s: %w", task, sdk.ToString(d.Status), sdk.ToString(d.StatusMessage), errState)
	})
	return id, err
}
