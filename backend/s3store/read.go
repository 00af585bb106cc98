package s3store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cosafs/backend"
	"cosafs/backend/internal/httplink"
)

// digestKey is the name under which an object's metadata has its sha256 in hex.
const digestKey = "sha256"

// Stat implements [backend.Store].
func (s *Store) Stat(ctx context.Context, key backend.Key) (backend.Info, error) {
	if err := errors.Join(key.Check(), ctx.Err()); err != nil {
		return backend.Info{}, s.fail("stat", key, err)
	}
	info, err := s.stat(ctx, key)
	if err != nil {
		return backend.Info{}, s.fail("stat", key, err)
	}
	return info, nil
}

func (s *Store) stat(ctx context.Context, key backend.Key) (backend.Info, error) {
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.cfg.Bucket, Key: s.object(key)})
	if code := status(err); code >= 400 && code < 500 {
		return backend.Info{}, s.confirm(ctx, key, code)
	}
	if err != nil {
		return backend.Info{}, answer(ctx, err, reading)
	}
	if version(out.ETag) == "" {
		// rclone's server gives none while the object is being written. As a Version
		// it would pin nothing, and as a condition ask for nothing.
		return backend.Info{}, errors.New("the store gives no ETag for the object")
	}
	return backend.Info{
		Key: key, Size: aws.ToInt64(out.ContentLength), ModTime: aws.ToTime(out.LastModified),
		Version: version(out.ETag), SHA256: recordedDigest(out.Metadata),
	}, nil
}

// confirm says what a HEAD's refusal means. That answer has no body, so a 404
// does not tell a missing object from a missing bucket or an unknown account, nor a
// 400 what was wrong. A GET's does.
func (s *Store) confirm(ctx context.Context, key backend.Key, code int) error {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.cfg.Bucket, Key: s.object(key), Range: aws.String("bytes=0-0")})
	if err != nil {
		return answer(ctx, err, reading)
	}
	_ = out.Body.Close() // what it holds does not matter
	return fmt.Errorf("the store answers HEAD with %d and GET with an object", code)
}

// recordedDigest gives the sha256 that an upload left in the metadata, else zero.
func recordedDigest(metadata map[string]string) (sum [sha256.Size]byte) {
	raw, err := hex.DecodeString(metadata[digestKey])
	if err != nil || len(raw) != len(sum) {
		return sum
	}
	return [sha256.Size]byte(raw)
}

// version makes a Version of an ETag: without quotes, which not all stores put
// around it everywhere.
func version(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }

// etag gives the ETag of a Version, nil if there is none.
func etag(version string) *string {
	if version == "" {
		return nil
	}
	return aws.String(`"` + version + `"`)
}

// Open implements [backend.Store].
func (s *Store) Open(ctx context.Context, key backend.Key, r backend.Range, version string) (io.ReadCloser, error) {
	if err := errors.Join(key.Check(), ctx.Err()); err != nil {
		return nil, s.fail("open", key, err)
	}
	body, err := s.open(ctx, key, r, version)
	if err != nil {
		return nil, s.fail("open", key, err)
	}
	return body, nil
}

func (s *Store) open(ctx context.Context, key backend.Key, r backend.Range, want string) (io.ReadCloser, error) {
	if r.Off < 0 {
		return nil, fmt.Errorf("offset %d: %w", r.Off, fs.ErrInvalid)
	}
	if r.Len == 0 {
		return s.openEmpty(ctx, key, r, want) // HTTP has no way to ask for no bytes
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &s.cfg.Bucket, Key: s.object(key), Range: header(r), IfMatch: etag(want),
	})
	switch {
	case status(err) == http.StatusRequestedRangeNotSatisfiable:
		return s.openEmpty(ctx, key, r, want)
	case err != nil:
		return nil, answer(ctx, err, reading)
	}
	n, err := length(out, r)
	if err == nil && want != "" && version(out.ETag) != want {
		err = backend.ErrChanged // there are stores that ignore If-Match on a GET
	}
	if err != nil {
		_ = out.Body.Close() // it is not what was asked for
		return nil, err
	}
	return backend.NewBody(ctx, out.Body, n), nil
}

// openEmpty gives the body of a range that may be empty, or says that it lies past
// the end: the answer 416 is the same for both.
func (s *Store) openEmpty(ctx context.Context, key backend.Key, r backend.Range, want string) (io.ReadCloser, error) {
	info, err := s.stat(ctx, key)
	if err != nil {
		return nil, err
	}
	return backend.EmptyBody(ctx, info, r, want)
}

// header gives the Range header, nil for a whole object.
func header(r backend.Range) *string {
	if text := httplink.RangeHeader(r); text != "" {
		return &text
	}
	return nil
}

// length gives how many bytes of an answer are those of r. A store answers a
// range that reaches past the end with what there is, which is ErrRange here, and
// one that knows no ranges with the whole object.
func length(out *s3.GetObjectOutput, r backend.Range) (int64, error) {
	if out.ContentRange == nil {
		if r.Off != 0 {
			return 0, fmt.Errorf("the store ignores ranges: %w", errors.ErrUnsupported)
		}
		if out.ContentLength == nil { // a proxy's doing; then the body has its own end
			return r.Len, nil
		}
		return r.Within(*out.ContentLength)
	}
	var first, last, total int64
	if _, err := fmt.Sscanf(*out.ContentRange, "bytes %d-%d/%d", &first, &last, &total); err != nil {
		return 0, fmt.Errorf("content range %q: %w", *out.ContentRange, err)
	}
	n, err := r.Within(total)
	if err == nil && (first != r.Off || last-first+1 != n) {
		err = fmt.Errorf("the store gives %q for %d bytes at %d", *out.ContentRange, n, r.Off)
	}
	return n, err
}
