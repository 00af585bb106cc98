package s3store

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"cosafs/backend"
)

const (
	minPart  = 16 << 20 // bytes; S3 wants 5 MiB at least
	maxParts = 10_000   // S3's limit
	// cleanup is how long the end of an upload or a probe may take after its ctx ended.
	cleanup = 10 * time.Second
)

// partSize gives the size of the parts of an object: as small as goes, and the same
// for all but the last, as some stores want it.
func partSize(size int64) int64 {
	const mib = 1 << 20
	each := (size + maxParts - 1) / maxParts
	return max(minPart, (each+mib-1)/mib*mib)
}

// errGone means that a store knows nothing of a multipart upload.
var errGone = errors.New("the store does not know the upload")

// An upload is one multipart upload of a source that has a digest.
type upload struct {
	*Store
	key  backend.Key
	src  backend.Source
	id   string
	part int64                // bytes
	have map[int32]types.Part // parts that the store has already
	note *note                // in the journal; nil without one
}

// putParts sends an object in parts. The object appears with the last request, so
// that its condition is checked there, when all bytes have been sent; to save
// them it is looked at before as well.
func (s *Store) putParts(ctx context.Context, key backend.Key, src backend.Source, cond backend.Cond) (backend.Info, error) {
	if cond != (backend.Cond{}) {
		if err := s.holds(ctx, key, cond); err != nil {
			return backend.Info{}, err
		}
	}
	if !src.Digested() {
		h := sha256.New()
		if _, err := io.CopyN(h, io.NewSectionReader(src, 0, src.Size), src.Size); err != nil {
			return backend.Info{}, short(err)
		}
		src.SHA256 = [sha256.Size]byte(h.Sum(nil))
	}
	u := &upload{Store: s, key: key, src: src, part: partSize(src.Size)}
	if err := u.open(ctx); err != nil {
		return backend.Info{}, err
	}
	info, err := u.run(ctx, cond)
	return info, u.close(ctx, err)
}

// open takes up the journal's note on this upload, where there is one.
func (u *upload) open(ctx context.Context) error {
	var err error
	if u.note, err = u.openNote(ctx); err != nil {
		return err
	}
	u.id = u.note.upload()
	return nil
}

// run goes on with the upload, or starts it, and ends it.
func (u *upload) run(ctx context.Context, cond backend.Cond) (backend.Info, error) {
	err := u.begin(ctx)
	if errors.Is(err, errGone) {
		// Perhaps it came to its end and only the answer was lost.
		info, serr := u.stat(ctx, u.key)
		if serr == nil && cond == (backend.Cond{}) && info.Size == u.src.Size && info.SHA256 == u.src.SHA256 {
			return info, nil
		}
		u.id = ""
		err = u.begin(ctx)
	}
	if err != nil {
		return backend.Info{}, err
	}
	parts, sum, err := u.send(ctx)
	if err != nil {
		return backend.Info{}, err
	}
	return u.complete(ctx, cond, parts, sum)
}

// begin finds out what the store has of an earlier upload, or makes a new one.
func (u *upload) begin(ctx context.Context) error {
	if u.id != "" {
		return u.resume(ctx)
	}
	out, err := u.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &u.cfg.Bucket, Key: u.object(u.key),
		ContentType: unlessEmpty(u.src.ContentType), CacheControl: unlessEmpty(u.src.CacheControl),
		ACL: types.ObjectCannedACL(u.cfg.ACL), Metadata: metadata(u.src.SHA256),
		ChecksumAlgorithm: u.sums.name, ChecksumType: u.sums.kind,
	})
	if err != nil {
		return answer(ctx, err, writing)
	}
	u.id = aws.ToString(out.UploadId)
	return u.note.save(u.id)
}

func (u *upload) resume(ctx context.Context) error {
	u.have = map[int32]types.Part{}
	pages := s3.NewListPartsPaginator(u.client, &s3.ListPartsInput{Bucket: &u.cfg.Bucket, Key: u.object(u.key), UploadId: &u.id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if status(err) == http.StatusNotFound {
			return errGone
		}
		if err != nil {
			return answer(ctx, err, writing)
		}
		for _, p := range page.Parts {
			u.have[aws.ToInt32(p.PartNumber)] = p
		}
	}
	return nil
}

// complete makes an object of the parts, if cond holds.
func (u *upload) complete(ctx context.Context, cond backend.Cond, parts []types.CompletedPart, sum string) (info backend.Info, err error) {
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &u.cfg.Bucket, Key: u.object(u.key), UploadId: &u.id, MpuObjectSize: &u.src.Size,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
	u.sums.setComplete(in, sum)
	err = u.commit(ctx, u.key, cond, func(native backend.Cond) error {
		in.IfMatch, in.IfNoneMatch = conditions(native)
		out, err := u.client.CompleteMultipartUpload(ctx, in)
		if err != nil {
			return answer(ctx, err, writing)
		}
		info, err = u.stored(ctx, u.key, u.src.Size, u.src.SHA256, out.ETag, out.ResultMetadata)
		return err
	})
	return info, err
}

// close ends what run did with err, and gives that error. The parts stay if
// a later Put can go on with them.
func (u *upload) close(ctx context.Context, err error) error {
	over := err == nil
	for _, sentinel := range []error{backend.ErrDigest, backend.ErrCondition, io.ErrUnexpectedEOF, errors.ErrUnsupported} {
		over = over || errors.Is(err, sentinel)
	}
	if err != nil && u.id != "" && (over || u.note == nil) {
		u.abort(ctx, *u.object(u.key), u.id)
	}
	return errors.Join(err, u.note.close(!over && u.id != ""))
}

// abort ends a multipart upload for good, also after ctx ended.
func (s *Store) abort(ctx context.Context, object, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	// Failing that, the bucket's own rule for unfinished uploads applies.
	_, _ = s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.cfg.Bucket, Key: &object, UploadId: &id})
}
