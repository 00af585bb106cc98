package s3store

import (
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// A checksum is what a store checks transfers with; the zero one is none. It is
// sent with the algorithm's name, since some stores (Ceph's) verify and keep it
// only then.
type checksum struct {
	name types.ChecksumAlgorithm
	// kind is what the checksum of a multipart object is of: all bytes, or the
	// parts' checksums.
	kind types.ChecksumType
	new  func() hash.Hash
}

// nvme is the polynomial of CRC-64/NVME, reversed as Go wants it.
const nvme = 0x9a6c9329ac4bc9b5

func checksumOf(name string) (checksum, error) {
	switch name {
	case "crc64nvme":
		table := crc64.MakeTable(nvme)
		return checksum{types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject, func() hash.Hash { return crc64.New(table) }}, nil
	case "crc32":
		return checksum{types.ChecksumAlgorithmCrc32, types.ChecksumTypeComposite, func() hash.Hash { return crc32.NewIEEE() }}, nil
	case "none":
		return checksum{}, nil
	}
	return checksum{}, fmt.Errorf("checksum %q is not crc64nvme, crc32 or none: %w", name, fs.ErrInvalid)
}

// hash gives a new hash, which for no checksum at all is nil.
func (c checksum) hash() hash.Hash {
	if c.new == nil {
		return nil
	}
	return c.new()
}

// text gives a hash's sum as S3 writes it, "" for none.
func (c checksum) text(h hash.Hash) string {
	if h == nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// of gives the sum of data, "" for none.
func (c checksum) of(data []byte) string {
	h := c.hash()
	if h == nil {
		return ""
	}
	_, _ = h.Write(data) // a hash never fails
	return c.text(h)
}

// pick gives the field of a request or answer that is this algorithm's.
func (c checksum) pick(crc64nvme, crc32 **string) **string {
	switch c.name {
	case types.ChecksumAlgorithmCrc64nvme:
		return crc64nvme
	case types.ChecksumAlgorithmCrc32:
		return crc32
	default:
		return new(*string) // there is no such field; what is set goes nowhere
	}
}

func (c checksum) setPut(in *s3.PutObjectInput, sum string) {
	in.ChecksumAlgorithm = c.name
	*c.pick(&in.ChecksumCRC64NVME, &in.ChecksumCRC32) = &sum
}

func (c checksum) setPart(in *s3.UploadPartInput, sum string) {
	in.ChecksumAlgorithm = c.name
	*c.pick(&in.ChecksumCRC64NVME, &in.ChecksumCRC32) = &sum
}

// setCompleted names a part's sum again in the end, which versitygw wants also
// where the object's is not made of those.
func (c checksum) setCompleted(part *types.CompletedPart, sum string) {
	*c.pick(&part.ChecksumCRC64NVME, &part.ChecksumCRC32) = &sum
}

// setComplete sends the whole object's sum, where there is such a thing.
func (c checksum) setComplete(in *s3.CompleteMultipartUploadInput, sum string) {
	in.ChecksumType = c.kind
	if c.kind == types.ChecksumTypeFullObject {
		*c.pick(&in.ChecksumCRC64NVME, &in.ChecksumCRC32) = &sum
	}
}

// ofPart gives the sum that the store has recorded for a part, "" for none.
func (c checksum) ofPart(p types.Part) string {
	if sum := *c.pick(&p.ChecksumCRC64NVME, &p.ChecksumCRC32); sum != nil {
		return *sum
	}
	return ""
}
