package s3store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"cosafs/backend"
)

// Put implements [backend.Writer]: one request up to 16 MiB, a multipart upload
// above. The sha256 goes into the object's metadata, from where Stat gives it.
//
// A 412 is ErrCondition. What else goes wrong with a conditional Put, a 409 among
// it, may have stored the object.
func (s *Store) Put(ctx context.Context, key backend.Key, src backend.Source, cond backend.Cond) (backend.Info, error) {
	if err := errors.Join(key.Check(), cond.Check(), ctx.Err()); err != nil {
		return backend.Info{}, s.fail("put", key, err)
	}
	info, err := s.put(ctx, key, src, cond)
	if err != nil {
		return backend.Info{}, s.fail("put", key, err)
	}
	return info, nil
}

func (s *Store) put(ctx context.Context, key backend.Key, src backend.Source, cond backend.Cond) (backend.Info, error) {
	if err := s.promises(ctx, cond); err != nil {
		return backend.Info{}, err // before anything is sent
	}
	if src.Size > minPart {
		return s.putParts(ctx, key, src, cond)
	}
	return s.putWhole(ctx, key, src, cond)
}

// putWhole sends an object in one request. What was checked is what is sent,
// so it is read once, into memory.
func (s *Store) putWhole(ctx context.Context, key backend.Key, src backend.Source, cond backend.Cond) (info backend.Info, err error) {
	data := make([]byte, src.Size)
	if _, err := io.ReadFull(io.NewSectionReader(src, 0, src.Size), data); err != nil {
		return backend.Info{}, short(err)
	}
	sum := sha256.Sum256(data)
	if src.Digested() && src.SHA256 != sum {
		return backend.Info{}, backend.ErrDigest
	}
	in := &s3.PutObjectInput{
		Bucket: &s.cfg.Bucket, Key: s.object(key), Body: bytes.NewReader(data), ContentLength: &src.Size,
		ContentType: unlessEmpty(src.ContentType), CacheControl: unlessEmpty(src.CacheControl),
		ACL: types.ObjectCannedACL(s.cfg.ACL), Metadata: metadata(sum),
	}
	s.sums.setPut(in, s.sums.of(data))
	err = s.commit(ctx, key, cond, func(native backend.Cond) error {
		in.IfMatch, in.IfNoneMatch = conditions(native)
		out, err := s.client.PutObject(ctx, in)
		if err != nil {
			return answer(ctx, err, writing)
		}
		info, err = s.stored(ctx, key, src.Size, sum, out.ETag, out.ResultMetadata)
		return err
	})
	return info, err
}

// stored describes an object that was just written.
func (s *Store) stored(ctx context.Context, key backend.Key, size int64, sum [sha256.Size]byte, tag *string, meta middleware.Metadata) (backend.Info, error) {
	if version(tag) == "" {
		return s.stat(ctx, key)
	}
	when, ok := awsmiddleware.GetServerTime(meta)
	if !ok {
		when = time.Now()
	}
	return backend.Info{Key: key, Size: size, ModTime: when, Version: version(tag), SHA256: sum}, nil
}

// metadata is what is kept beside an object's bytes.
func metadata(sum [sha256.Size]byte) map[string]string {
	return map[string]string{digestKey: hex.EncodeToString(sum[:])}
}

func unlessEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// short says of a source that ended early what a Put says.
func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the source is shorter than its size: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// Delete implements [backend.Writer]. S3 answers a conditional delete of an
// object that is not there with success, so that is looked at first: of two
// Deletes of the same version at the same time both may return nil.
func (s *Store) Delete(ctx context.Context, key backend.Key, cond backend.Cond) error {
	if err := errors.Join(key.Check(), cond.CheckDelete(), ctx.Err()); err != nil {
		return s.fail("delete", key, err)
	}
	if err := s.delete(ctx, key, cond); err != nil {
		return s.fail("delete", key, err)
	}
	return nil
}

func (s *Store) delete(ctx context.Context, key backend.Key, cond backend.Cond) error {
	if err := s.promisesDelete(ctx, cond); err != nil {
		return err
	}
	if cond != (backend.Cond{}) {
		if err := s.holds(ctx, key, cond); err != nil {
			return err
		}
	}
	return s.commitDelete(ctx, key, cond, func(native backend.Cond) error {
		_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{
			Bucket: &s.cfg.Bucket, Key: s.object(key), IfMatch: etag(native.IfMatch),
		})
		err = answer(ctx, err, writing)
		if errors.Is(err, fs.ErrNotExist) && cond == (backend.Cond{}) {
			return nil
		}
		return err
	})
}
