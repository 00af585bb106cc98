package upload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"cosafs/cmd/internal/cas"
	"cosafs/index"
	"cosafs/materialize"
)

// sendMeta merges an architecture's meta.json into the store's.
func (u *uploader) sendMeta(ctx context.Context, a *archDir) error {
	var size int
	wrote, err := u.document(a).Update(ctx, func(_ context.Context, old []byte) ([]byte, error) {
		data, err := u.mergeMeta(a, old)
		size = len(data)
		return data, err
	})
	if err != nil {
		return err
	}
	u.sentDocument(u.document(a), size, wrote)
	return nil
}

func (u *uploader) document(a *archDir) cas.Document {
	return cas.Document{Store: u.Dest, Key: a.key.Join(metaFile), CacheControl: mutable}
}

// sentDocument reports on a document.
func (u *uploader) sentDocument(d cas.Document, size int, wrote bool) {
	o := Object{Key: string(d.Key), Size: int64(size)}
	if !wrote {
		o.Why = theStoreHasIt
		u.report.Skipped = append(u.report.Skipped, o)
		return
	}
	o.Why = "it tells of what was uploaded"
	u.report.Sent = append(u.report.Sent, o)
	u.report.Bytes += o.Size
}

// mergeMeta gives the store's meta.json, whose bytes are old, with what is
// uploaded.
func (u *uploader) mergeMeta(a *archDir, old []byte) ([]byte, error) {
	remote, err := parseMeta(a, old)
	if err != nil {
		return nil, err
	}
	if err := u.checkUnchanged(a, remote); err != nil {
		return nil, err
	}
	ours, err := a.scrubbed(remote)
	if err != nil || remote == nil {
		return ours.Bytes(), err
	}
	merged, err := unite(remote, ours)
	if errors.Is(err, index.ErrConflict) {
		if !u.Force {
			return nil, materialize.Fail(materialize.ClassConfig, fmt.Sprintf("upload %s", a.key.Join(metaFile)),
				"give the new build a new id; --force replaces the store's", err)
		}
		return ours.Bytes(), nil
	}
	if err == nil {
		err = a.settle(merged, remote)
	}
	if err != nil {
		return nil, err
	}
	return u.stamped(merged, ours, old), nil
}

// stamped gives the merged document a new stamp, unless it is one of those that
// it was made of.
func (u *uploader) stamped(merged, ours *index.Meta, old []byte) []byte {
	data := merged.Bytes()
	if bytes.Equal(data, old) || bytes.Equal(data, ours.Bytes()) {
		return data
	}
	merged.SetStamp(max(u.Now().UnixNano(), stamp(merged)+1))
	return merged.Bytes()
}

// checkUnchanged refuses to record an artifact for which somebody recorded other
// bytes since the upload began.
func (u *uploader) checkUnchanged(a *archDir, remote *index.Meta) error {
	if remote == nil || u.Force {
		return nil
	}
	for _, im := range a.meta.Images() {
		now, ok := remote.Image(im.Kind)
		if !ok || a.verdicts[im.Path] == theirs || now.Path != im.Path || now.SHA256 == im.SHA256 {
			continue
		}
		if before, ok := u.dst.recorded(a.arch, im.Path); !ok || before.SHA256 != now.SHA256 {
			return published(&item{key: a.key.Join(im.Path)}, "somebody published other bytes for it meanwhile")
		}
	}
	return nil
}

// scrubbed gives what is here without the images that the store does not have and
// its meta.json does not record, as cosa does.
func (a *archDir) scrubbed(remote *index.Meta) (*index.Meta, error) {
	m := a.meta.Clone()
	images := newMembers()
	raw := map[string]json.RawMessage{}
	if data, ok := m.Get("images"); ok {
		if err := json.Unmarshal(data, &raw); err != nil {
			return nil, fmt.Errorf("%s: %w", a.key.Join(metaFile), err)
		}
	}
	for _, im := range m.Images() {
		recorded := false
		if remote != nil {
			_, recorded = remote.Image(im.Kind)
		}
		if recorded || a.verdicts[im.Path] == mine {
			images.add(string(im.Kind), raw[string(im.Kind)])
		}
	}
	if images.n == len(raw) {
		return m, nil
	}
	return m, m.Set("images", images.object())
}

// members collects the members of a JSON object in their order.
type members struct {
	buf bytes.Buffer
	n   int
}

func newMembers() *members { return &members{} }

func (m *members) add(key string, value json.RawMessage) {
	if m.n > 0 {
		m.buf.WriteByte(',')
	}
	name, _ := json.Marshal(key) // a string always can be
	m.buf.Write(name)
	m.buf.WriteByte(':')
	m.buf.Write(value)
	m.n++
}

func (m *members) object() json.RawMessage {
	return json.RawMessage("{" + m.buf.String() + "}")
}

// unite merges as [index.Merge] does, but takes the union of documents with equal
// stamps too: a store's meta.json has the stamp of the one that was uploaded
// first, also if that was uploaded in parts.
func unite(remote, ours *index.Meta) (*index.Meta, error) {
	if stamp(remote) != stamp(ours) || bytes.Equal(remote.Bytes(), ours.Bytes()) {
		return index.Merge(remote, ours)
	}
	before, had := ours.Stamp()
	ours = ours.Clone()
	ours.SetStamp(before + 1)
	merged, err := index.Merge(remote, ours)
	if err != nil {
		return nil, err
	}
	if had {
		merged.SetStamp(before)
	} else {
		merged.Delete("coreos-assembler.meta-stamp")
	}
	return merged, nil
}

// settle sets the images that both documents have to one of the two, whole: the
// union of two entries may describe no file at all.
func (a *archDir) settle(merged, remote *index.Meta) error {
	for _, im := range a.meta.Images() {
		theirsIs, both := remote.Image(im.Kind)
		if !both {
			continue
		}
		if a.verdicts[im.Path] == theirs {
			im = theirsIs
		}
		if err := merged.SetImage(im.Kind, im); err != nil && !errors.Is(err, fs.ErrInvalid) {
			return err
		}
	}
	return nil
}
