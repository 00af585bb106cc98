package aws

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ebs"
	"github.com/aws/aws-sdk-go-v2/service/ebs/types"
	"golang.org/x/sync/errgroup"

	"cosafs/materialize"
	"cosafs/materialize/disk/view"
)

// startTimeout is how many minutes AWS keeps a snapshot that nobody writes to: a day,
// so that an upload may be started again after a night. The most is 4320.
const startTimeout = 1440

// direct makes the snapshot by the EBS direct API, or goes on with the one that an
// earlier run began.
func (u *Uploader) direct(ctx context.Context, r *region, disk Disk, t *materialize.Task) (id string, err error) {
	if id, err = u.completed(ctx, r); id != "" || err != nil {
		return id, err
	}
	err = disk(ctx, func(im view.Image) (err error) {
		id, err = u.send(ctx, r, im, t)
		return err
	})
	return id, err
}

// send makes a snapshot of the disk. The digests of its blocks are taken first: by
// them a run finds the snapshot that an earlier one began with the same bytes.
func (u *Uploader) send(ctx context.Context, r *region, im view.Image, t *materialize.Task) (string, error) {
	t.Phase("read the disk", 0)
	sums, err := digests(ctx, im)
	if err != nil {
		return "", err
	}
	t.Phase("start snapshot in "+r.name, 0)
	id, state, err := u.start(ctx, r, im.Size(), linear(sums))
	if err != nil || state == snapshotCompleted {
		return id, err
	}
	f := &filler{r: r, id: id, im: im, t: t, sums: sums}
	if err := u.fill(ctx, f); err != nil && !u.sealed(ctx, r, id, err) {
		return "", fmt.Errorf("snapshot %s: %w", id, err)
	}
	t.Phase("wait for snapshot "+id, 1)
	return id, u.waitSnapshot(ctx, r, id, pollLimit)
}

// sealed says whether err only told that an earlier run, or an earlier attempt of the
// same call whose answer was lost, had completed the snapshot.
func (u *Uploader) sealed(ctx context.Context, r *region, id string, err error) bool {
	var invalid *types.ValidationException
	var conflict *types.ConflictException
	if !errors.As(err, &invalid) && !errors.As(err, &conflict) {
		return false
	}
	return u.waitSnapshot(ctx, r, id, settleLimit) == nil
}

// fill puts all blocks and seals the snapshot.
func (u *Uploader) fill(ctx context.Context, f *filler) (err error) {
	f.j, err = openJournal(u.c.State, f.id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.j.close(err == nil)) }()
	if err := f.put(ctx, u.c.Parallel); err != nil {
		return err
	}
	f.t.Logf("%s: %d blocks of %d KiB with data, of which %d were sent before", f.id, len(f.sums), blockSize>>10, f.kept)
	return f.seal(ctx)
}

// A filler fills one snapshot.
type filler struct {
	r    *region
	id   string
	im   view.Image
	j    *journal
	t    *materialize.Task
	sums map[int32]digest // of the blocks that the snapshot is to have

	mu   sync.Mutex // of the fields below
	done int        // blocks that the snapshot has
	kept int        // of those the ones that an earlier run had put
}

// put puts the blocks, several at once.
func (f *filler) put(ctx context.Context, parallel int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, index := range slices.Sorted(maps.Keys(f.sums)) {
		g.Go(func() error { return f.putBlock(ctx, index, f.sums[index]) })
	}
	return g.Wait()
}

// putBlock puts one block, unless it was put before. A block that changed since its
// digest was taken is refused at the other end.
func (f *filler) putBlock(ctx context.Context, index int32, sum digest) error {
	if f.j.has(index, sum) {
		f.count(true)
		return nil
	}
	p, err := readBlock(ctx, f.im, index)
	if err != nil {
		return err
	}
	if _, err := f.r.ebs.PutSnapshotBlock(ctx, putInput(f.id, index, p, sum)); err != nil {
		return fmt.Errorf("block %d: %w", index, err)
	}
	f.j.note(index, sum)
	f.count(false)
	return nil
}

// count counts a block, and tells the progress at each hundredth.
func (f *filler) count(kept bool) {
	f.mu.Lock()
	f.done++
	if kept {
		f.kept++
	}
	done, total := f.done, len(f.sums)
	f.mu.Unlock()
	if done%max(1, total/100) == 0 && f.t.Progress != nil {
		f.t.Progress("upload blocks", float64(done)/float64(total))
	}
}

// seal completes the snapshot, with the digest over all blocks' digests.
func (f *filler) seal(ctx context.Context) error {
	_, err := f.r.ebs.CompleteSnapshot(ctx, completeInput(f.id, len(f.sums), linear(f.sums)))
	return err
}

// putInput is the call that puts a block.
func putInput(id string, index int32, p []byte, sum digest) *ebs.PutSnapshotBlockInput {
	return &ebs.PutSnapshotBlockInput{
		SnapshotId: &id, BlockIndex: &index, BlockData: bytes.NewReader(p), DataLength: sdk.Int32(blockSize),
		Checksum: sdk.String(base64.StdEncoding.EncodeToString(sum[:])), ChecksumAlgorithm: types.ChecksumAlgorithmChecksumAlgorithmSha256,
	}
}

// completeInput is the call that completes a snapshot.
func completeInput(id string, count int, checksum string) *ebs.CompleteSnapshotInput {
	return &ebs.CompleteSnapshotInput{
		SnapshotId: &id, ChangedBlocksCount: sdk.Int32(int32(count)), Checksum: &checksum,
		ChecksumAlgorithm:         types.ChecksumAlgorithmChecksumAlgorithmSha256,
		ChecksumAggregationMethod: types.ChecksumAggregationMethodChecksumAggregationLinear,
	}
}
