package pack

import (
	"archive/tar"
	"bytes"
	"fmt"
	"time"

	"cosafs/materialize/disk/view"
)

// A member is one of an archive: the header's size is that of content.
type member struct {
	header  tar.Header
	content view.Image
}

// file gives a member that belongs to root with mode 0644. Seconds of its time are
// whole: GNU's format knows no parts of them.
func file(name string, content view.Image, modified time.Time) member {
	return member{content: content, header: tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: content.Size(), Mode: 0o644, ModTime: modified.Truncate(time.Second), Format: tar.FormatGNU,
	}}
}

// archive shows a tar of the members, without the old format's holes. It's ustar's
// but where a name or a size is too long for that.
func archive(members ...member) (view.Image, error) {
	var parts []view.Image
	for _, m := range members {
		var header bytes.Buffer
		if err := tar.NewWriter(&header).WriteHeader(&m.header); err != nil {
			return nil, fmt.Errorf("tar %q: %w", m.header.Name, err)
		}
		padded := view.Grow(m.content, roundUp(m.content.Size(), tarBlock))
		parts = append(parts, view.Bytes(header.Bytes()), padded)
	}
	end := view.Grow(view.Bytes(nil), 2*tarBlock) // two empty blocks end an archive
	return view.Concat(append(parts, end)...), nil
}
