package davfs

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"

	"cosafs/vfs"
)

// entityTag gives the strong tag of a file's bytes, "" for bytes that are not
// known yet or are new each time. Where meta.json has the sha256 it is that; else
// the inode's identity, which changes with the file (see [vfs.Attr]). The tag of a view
// of a disk stays when its sha256 gets known, so that a download goes on in ranges, and
// doesn't when the disk was written anew, as ranges of the two would be a mixture.
func entityTag(a vfs.Attr, e vfs.Entry, known bool) string {
	switch {
	case a.Generated || a.Size < 0:
		return ""
	case known && e.SHA256 != "" && e.Stamp == "":
		return `"` + e.SHA256 + `"`
	case known && unmade(e.State):
		return ""
	}
	tag := strconv.FormatUint(a.Ino, 36) + "-" + strconv.FormatUint(a.Gen, 36)
	if known && e.Stamp != "" {
		tag += "-" + e.Stamp
	}
	return `"` + tag + `"`
}

// tellDigest says a file's sha256 where it is known: as RFC 9530 and RFC 3230 have
// it, and as people look for it.
func tellDigest(h http.Header, e vfs.Entry) {
	sum, err := hex.DecodeString(e.SHA256)
	if err != nil || len(sum) != 32 {
		return
	}
	encoded := base64.StdEncoding.EncodeToString(sum)
	h.Set("Repr-Digest", "sha-256=:"+encoded+":")
	h.Set("Digest", "sha-256="+encoded)
	h.Set("X-Checksum-Sha256", e.SHA256)
}
