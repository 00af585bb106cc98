package s3store

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"cosafs/backend"
)

// A probe finds out whether a store keeps conditions, since several accept the
// headers and ignore them. It writes a few small objects below StatePrefix and
// deletes them again.
type probe struct {
	*Store
	key   string   // of the object that the steps share
	trash []string // keys to delete
}

const (
	races  = 3 // how often writers race for one object
	racers = 8
)

// probe gives what does not hold, or an error if the store gave no clear answer.
func (s *Store) probe(ctx context.Context) (faults, error) {
	p := &probe{Store: s}
	p.key = p.name()
	defer p.clean(ctx)
	for _, step := range []struct {
		what string
		run  func(context.Context) (refused bool, err error)
	}{
		{"If-None-Match of a PUT", p.putAgain},
		{"If-Match of a PUT", p.putOther},
		{"If-None-Match of a multipart upload", p.completeAgain},
		{"If-None-Match when writers race", p.race},
	} {
		refused, err := step.run(ctx)
		if err != nil {
			return faults{}, fmt.Errorf("%s: %w", step.what, err)
		}
		if !refused {
			// What ignores one condition is not trusted with another.
			return faults{write: step.what + " has no effect", remove: step.what + " has no effect"}, nil
		}
	}
	refused, err := p.refuses(ctx, func() error {
		_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.cfg.Bucket, Key: &p.key, IfMatch: etag(otherETag)})
		return err
	})
	if err != nil {
		return faults{}, err
	}
	if !refused {
		return faults{remove: "If-Match of a DELETE has no effect"}, nil
	}
	return faults{}, nil
}

// otherETag is no object's.
const otherETag = "00000000000000000000000000000000"

// name gives a new key, which will be deleted.
func (p *probe) name() string {
	key := p.cfg.StatePrefix + "/probe/" + rand.Text()
	p.trash = append(p.trash, key)
	return key
}

// put writes a small object, at first unlike any other.
func (p *probe) put(ctx context.Context, key string, cond backend.Cond) error {
	data := []byte(rand.Text())
	in := &s3.PutObjectInput{Bucket: &p.cfg.Bucket, Key: &key, Body: bytes.NewReader(data)}
	p.sums.setPut(in, p.sums.of(data))
	in.IfMatch, in.IfNoneMatch = conditions(cond)
	_, err := p.client.PutObject(ctx, in)
	return err
}

// refuses says whether a store refuses what it must. That a store doesn't know
// conditions at all and says so is as bad as ignoring them.
func (p *probe) refuses(ctx context.Context, send func() error) (bool, error) {
	err := send()
	switch status(err) {
	case http.StatusPreconditionFailed, http.StatusConflict:
		return true, nil
	case http.StatusNotImplemented, http.StatusBadRequest, http.StatusMethodNotAllowed:
		return false, nil
	}
	return false, answer(ctx, err, writing)
}

func (p *probe) putAgain(ctx context.Context) (bool, error) {
	first := p.put(ctx, p.key, backend.Cond{IfAbsent: true})
	if status(first) == http.StatusNotImplemented {
		return false, nil
	}
	if first != nil {
		return false, answer(ctx, first, writing)
	}
	return p.refuses(ctx, func() error { return p.put(ctx, p.key, backend.Cond{IfAbsent: true}) })
}

func (p *probe) putOther(ctx context.Context) (bool, error) {
	return p.refuses(ctx, func() error { return p.put(ctx, p.key, backend.Cond{IfMatch: otherETag}) })
}

// completeAgain ends a multipart upload over the object that is there.
func (p *probe) completeAgain(ctx context.Context) (bool, error) {
	up, err := p.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &p.cfg.Bucket, Key: &p.key, ChecksumAlgorithm: p.sums.name, ChecksumType: p.sums.kind,
	})
	if err != nil {
		return false, answer(ctx, err, writing)
	}
	defer p.abort(ctx, p.key, aws.ToString(up.UploadId))
	data := []byte("part")
	in := &s3.UploadPartInput{Bucket: &p.cfg.Bucket, Key: &p.key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(data)}
	p.sums.setPart(in, p.sums.of(data))
	part, err := p.client.UploadPart(ctx, in)
	if err != nil {
		return false, answer(ctx, err, writing)
	}
	done := types.CompletedPart{ETag: part.ETag, PartNumber: in.PartNumber}
	p.sums.setCompleted(&done, p.sums.of(data))
	return p.refuses(ctx, func() error {
		_, err := p.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &p.cfg.Bucket, Key: &p.key, UploadId: up.UploadId, IfNoneMatch: aws.String("*"),
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{done}},
		})
		return err
	})
}

// race lets writers create one object at the same time. Where two succeed, the
// store checks first and writes later.
func (p *probe) race(ctx context.Context) (bool, error) {
	for range races {
		won, err := p.winners(ctx, p.name())
		if err != nil || won > 1 {
			return false, err
		}
	}
	return true, nil
}

func (p *probe) winners(ctx context.Context, key string) (int, error) {
	won := make(chan bool, racers)
	var g errgroup.Group
	for range racers {
		g.Go(func() error {
			refused, err := p.refuses(ctx, func() error { return p.put(ctx, key, backend.Cond{IfAbsent: true}) })
			won <- err == nil && !refused
			return err
		})
	}
	err := g.Wait()
	close(won)
	n := 0
	for w := range won {
		if w {
			n++
		}
	}
	if n > 1 {
		err = nil // that is clear, whatever else there was
	}
	return n, err
}

// clean deletes what the probe wrote, as far as that goes.
func (p *probe) clean(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	var g errgroup.Group
	for _, key := range p.trash {
		g.Go(func() error {
			_, err := p.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &p.cfg.Bucket, Key: &key})
			return err
		})
	}
	_ = g.Wait() // what stays is a few bytes that mean nothing to anybody
}
