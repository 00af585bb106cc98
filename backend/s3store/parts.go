package s3store

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"cosafs/backend"
)

const (
	senders   = 8 // parts on their way at once
	partTries = 4 // of each part
)

// A piece is a part of the source that has been hashed.
type piece struct {
	number int32 // from 1
	off, n int64 // bytes
	sum    string
}

// send hashes the source from its beginning to its end and meanwhile sends each
// part that has been hashed, unless the store has it. It gives the parts and the
// checksum of the whole.
func (u *upload) send(ctx context.Context) ([]types.CompletedPart, string, error) {
	parts := make([]types.CompletedPart, (u.src.Size+u.part-1)/u.part)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(min(senders, u.cfg.Parallel))
	sum, err := u.hash(ctx, func(p piece) {
		g.Go(func() (err error) {
			parts[p.number-1], err = u.sendPart(ctx, p)
			return err
		})
	})
	if err != nil && ctx.Err() == nil { // the source's fault
		cancel()
		_ = g.Wait() // they were told to stop
		return nil, "", err
	}
	if err := g.Wait(); err != nil {
		return nil, "", err
	}
	return parts, sum, err
}

// hash reads the source once, in order, and calls ready for each part. It gives
// the checksum of the whole, and ErrDigest if the bytes are not those promised.
func (u *upload) hash(ctx context.Context, ready func(piece)) (string, error) {
	digest, whole := sha256.New(), u.sums.hash()
	p := piece{number: 1}
	for ; p.off < u.src.Size; p.number, p.off = p.number+1, p.off+p.n {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		p.n = min(u.part, u.src.Size-p.off)
		sum := u.sums.hash()
		if _, err := io.CopyN(into(digest, whole, sum), io.NewSectionReader(u.src, p.off, p.n), p.n); err != nil {
			return "", short(err)
		}
		p.sum = u.sums.text(sum)
		ready(p)
	}
	if [sha256.Size]byte(digest.Sum(nil)) != u.src.SHA256 {
		return "", backend.ErrDigest
	}
	return u.sums.text(whole), nil
}

// into writes to the hashes that there are.
func into(hashes ...hash.Hash) io.Writer {
	var w []io.Writer
	for _, h := range hashes {
		if h != nil {
			w = append(w, h)
		}
	}
	return io.MultiWriter(w...)
}

// sendPart sends a part that the store doesn't have. The checksum that goes with it
// is that of the bytes hashed: a source that changed since is refused.
func (u *upload) sendPart(ctx context.Context, p piece) (types.CompletedPart, error) {
	done := types.CompletedPart{PartNumber: &p.number}
	u.sums.setCompleted(&done, p.sum)
	if had, ok := u.have[p.number]; ok && p.sum != "" && u.sums.ofPart(had) == p.sum && aws.ToInt64(had.Size) == p.n {
		done.ETag = had.ETag
		return done, nil
	}
	in := &s3.UploadPartInput{
		Bucket: &u.cfg.Bucket, Key: u.object(u.key), UploadId: &u.id, PartNumber: &p.number,
		Body: io.NewSectionReader(u.src, p.off, p.n), ContentLength: &p.n,
	}
	u.sums.setPart(in, p.sum)
	out, err := u.client.UploadPart(ctx, in, tryAgain)
	if err != nil {
		return done, answer(ctx, err, writing)
	}
	done.ETag = out.ETag
	return done, nil
}

// tryAgain lets the SDK send a part more than once: the same bytes under the same
// number, unconditionally.
func tryAgain(o *s3.Options) {
	o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) { r.MaxAttempts = partTries })
}
