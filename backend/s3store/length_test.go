package s3store

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cosafs/backend"
)

// Whatever a server writes into Content-Range, a range is given as it was asked for
// or not at all.
func FuzzContentRange(f *testing.F) {
	f.Add("bytes 1-2/3", int64(1), int64(2))
	f.Add("bytes 0-9223372036854775807/9223372036854775807", int64(0), int64(backend.ToEnd))
	f.Add("bytes */10", int64(0), int64(1))
	f.Add("bytes 5-1/10", int64(5), int64(-7))
	f.Fuzz(func(t *testing.T, text string, off, n int64) {
		if off < 0 || n == 0 {
			return // never sent
		}
		got, err := length(&s3.GetObjectOutput{ContentRange: aws.String(text)}, backend.Range{Off: off, Len: n})
		if err == nil && (got < 0 || n > 0 && got != n) {
			t.Errorf("%q: %d bytes for %d at %d", text, got, n, off)
		}
	})
}
