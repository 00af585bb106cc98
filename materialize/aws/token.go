package aws

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

// token makes a client token from what is wanted. A call with the same token makes a
// thing once, however often it is sent.
func token(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:20]) // 64 characters is the most
}

// linear is the checksum over a snapshot's blocks: the sha256 of the digests, as
// bytes, in the order of the blocks (EBS direct API, "linear aggregation method";
// coldsnap computes it so).
func linear(sums map[int32]digest) string {
	all := sha256.New()
	for _, index := range slices.Sorted(maps.Keys(sums)) {
		sum := sums[index]
		_, _ = all.Write(sum[:]) // a hash takes all
	}
	return base64.StdEncoding.EncodeToString(all.Sum(nil))
}
