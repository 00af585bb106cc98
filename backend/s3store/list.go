package s3store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"cosafs/backend"
)

// List implements [backend.Store]. It reads the whole level before it gives the
// first entry, because S3 sorts a directory by its name with a slash behind,
// so that "a b" would come before "a".
func (s *Store) List(ctx context.Context, prefix backend.Key) iter.Seq2[backend.Info, error] {
	return func(yield func(backend.Info, error) bool) {
		level, err := s.level(ctx, prefix)
		for _, info := range level {
			if err = ctx.Err(); err != nil {
				break
			}
			if !yield(info, nil) {
				return
			}
		}
		if err != nil {
			yield(backend.Info{}, s.fail("list", prefix, err))
		}
	}
}

// level gives all that lies one level below prefix, in name order.
func (s *Store) level(ctx context.Context, prefix backend.Key) ([]backend.Info, error) {
	var found []backend.Info
	for page, err := range s.pages(ctx, prefix, aws.String("/")) {
		if err != nil {
			return nil, err
		}
		for _, dir := range page.CommonPrefixes {
			key := s.key(strings.TrimSuffix(aws.ToString(dir.Prefix), "/"))
			if key.Check() == nil {
				found = append(found, backend.Info{Key: key, Dir: true})
			}
		}
		for _, o := range page.Contents {
			if info, ok := s.listed(o); ok {
				found = append(found, info)
			}
		}
	}
	slices.SortFunc(found, func(a, b backend.Info) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return found, nil
}

// Walk implements [backend.Walker], a thousand objects a request. A store that
// does not sort its lists fails: who goes on after a list that broke would miss
// objects without knowing.
func (s *Store) Walk(ctx context.Context, prefix backend.Key) iter.Seq2[backend.Info, error] {
	return func(yield func(backend.Info, error) bool) {
		for info, err := range s.objects(ctx, prefix) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(backend.Info{}, s.fail("list", prefix, err))
				return
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

// objects gives the objects below prefix in byte order.
func (s *Store) objects(ctx context.Context, prefix backend.Key) iter.Seq2[backend.Info, error] {
	return func(yield func(backend.Info, error) bool) {
		var last backend.Key
		for page, err := range s.pages(ctx, prefix, nil) {
			if err != nil {
				yield(backend.Info{}, err)
				return
			}
			for _, o := range page.Contents {
				info, ok := s.listed(o)
				if !ok {
					continue
				}
				if info.Key <= last {
					yield(backend.Info{}, fmt.Errorf("the store lists %q after %q, which is out of order", info.Key, last))
					return
				}
				last = info.Key
				if !yield(info, nil) {
					return
				}
			}
		}
	}
}

// listed describes an object of a list. What has no valid key is passed over:
// the empty objects "dir/" that some programs make for directories.
func (s *Store) listed(o types.Object) (backend.Info, bool) {
	key := s.key(aws.ToString(o.Key))
	return backend.Info{
		Key: key, Size: aws.ToInt64(o.Size), ModTime: aws.ToTime(o.LastModified), Version: version(o.ETag),
	}, key.Check() == nil
}

// key gives the key of an object of the bucket, no valid one for what lies
// outside the prefix.
func (s *Store) key(object string) backend.Key {
	if s.cfg.Prefix == "" {
		return backend.Key(object)
	}
	key, below := strings.CutPrefix(object, s.cfg.Prefix+"/")
	if !below {
		return ""
	}
	return backend.Key(key)
}

// pages gives the answers that a list consists of.
func (s *Store) pages(ctx context.Context, prefix backend.Key, delimiter *string) iter.Seq2[*s3.ListObjectsV2Output, error] {
	return func(yield func(*s3.ListObjectsV2Output, error) bool) {
		if err := errors.Join(prefix.CheckPrefix(), ctx.Err()); err != nil {
			yield(nil, err)
			return
		}
		in := &s3.ListObjectsV2Input{Bucket: &s.cfg.Bucket, Prefix: s.below(prefix), Delimiter: delimiter}
		for {
			out, err := s.client.ListObjectsV2(ctx, in)
			if err != nil {
				yield(nil, answer(ctx, err, listing))
				return
			}
			if !yield(out, nil) || !aws.ToBool(out.IsTruncated) {
				return
			}
			next := out.NextContinuationToken
			if aws.ToString(next) == "" || aws.ToString(next) == aws.ToString(in.ContinuationToken) {
				yield(nil, fmt.Errorf("the store's list ends early after %d objects", len(out.Contents)))
				return
			}
			in.ContinuationToken = next
		}
	}
}

// below gives what the names of all objects below prefix start with.
func (s *Store) below(prefix backend.Key) *string {
	if prefix != "" {
		return aws.String(*s.object(prefix) + "/")
	}
	if s.cfg.Prefix == "" {
		return nil
	}
	return aws.String(s.cfg.Prefix + "/")
}
