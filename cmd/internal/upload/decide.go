package upload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"cosafs/backend"
	"cosafs/index"
)

// Reasons that the report, or another step, asks for.
const (
	nowhereToBeFound = "it is neither here nor in the store"
	absentUnwanted   = "it is not wanted, and not in the store"
	endangered       = "it lies in the store unlisted for so long that garbage collection may take it"
	theStoreHasIt    = "the store has it"
)

// decide says whether to send a file, by what the store has at its key.
func (u *uploader) decide(ctx context.Context, it *item) error {
	info, err := u.Dest.Stat(ctx, it.key)
	absent := errors.Is(err, fs.ErrNotExist)
	if err != nil && !absent {
		return fmt.Errorf("look at %s in the store: %w", it.key, err)
	}
	switch {
	case it.image == nil:
		u.decideFile(it, info, absent)
	case !u.wants(it.image.Kind):
		u.decideUnwanted(it, info, absent)
	case u.dst.deleted(u.src.id, it.image.Kind) && !u.Force:
		it.skip(theirs, "garbage collection deleted it from the store")
	case u.outdated(it) && !u.Force:
		it.skip(theirs, "the store's meta.json is newer, and records another file")
	case !absent:
		return u.decidePresent(it, info)
	case it.here:
		it.transfer(backend.Cond{IfAbsent: true}, "the store lacks it")
	default:
		it.skip(mine, nowhereToBeFound)
	}
	return nil
}

// decideFile is for what meta.json does not record: cosa always sends it. It is
// spared only where the store itself knows the digest.
func (u *uploader) decideFile(it *item, info backend.Info, absent bool) {
	switch {
	case absent:
		it.transfer(backend.Cond{}, "the store lacks it")
	case u.Force:
		it.transfer(backend.Cond{}, "forced")
	case info.SHA256 == digest{}:
		it.transfer(backend.Cond{}, "the store does not tell its digest")
	case info.SHA256 != it.sum:
		it.transfer(backend.Cond{}, "the store has other bytes")
	case u.endangered(it, info):
		it.transfer(backend.Cond{}, endangered)
	default:
		it.skip(mine, theStoreHasIt)
	}
}

// decideUnwanted keeps an entry of meta.json only where it is true.
func (u *uploader) decideUnwanted(it *item, info backend.Info, absent bool) {
	switch {
	case absent:
		it.skip(theirs, absentUnwanted)
	case u.equal(it, info) == no:
		it.skip(theirs, "it is not wanted, and the store has other bytes")
	default:
		it.skip(mine, "it is not wanted; the store has it")
	}
}

// decidePresent is for a wanted image whose key is taken. Bytes that somebody may
// have fetched, because a list names them, are only replaced by force; so are
// those that somebody may be publishing right now.
func (u *uploader) decidePresent(it *item, info backend.Info) error {
	equal := u.equal(it, info)
	replace := backend.Cond{IfMatch: info.Version}
	switch {
	case !it.here && equal == no:
		return published(it, "it is not here, and the store has other bytes")
	case !it.here:
		it.skip(mine, "it is not here; the store has it")
	case u.Force:
		it.transfer(backend.Cond{}, "forced")
	case u.contradicts(it) && u.dst.listed(u.src.id, it.arch.arch):
		return published(it, "the store has published it with other bytes")
	case equal == yes && u.endangered(it, info):
		it.transfer(replace, endangered)
	case equal == yes:
		it.skip(mine, theStoreHasIt)
	case equal == no && u.agrees(it):
		it.transfer(replace, "the store has damaged bytes")
	case equal == no && u.Now().Sub(info.ModTime) < stale:
		return published(it, "somebody sent other bytes under this name not long ago")
	case equal == no:
		it.transfer(replace, "the store has other bytes, which nothing published names")
	default:
		it.transfer(replace, "the store does not tell its digest")
	}
	return nil
}

func (it *item) transfer(cond backend.Cond, why string) {
	it.send, it.cond, it.verdict, it.why = true, cond, mine, why
}

func (it *item) skip(v verdict, why string) { it.verdict, it.why = v, why }

// An answer may not be known.
type answer int

const (
	unknown answer = iota
	yes
	no
)

// equal says whether the store has an image's bytes. Where the store keeps no
// digests its meta.json is believed, if the size is right.
func (u *uploader) equal(it *item, info backend.Info) answer {
	switch {
	case info.SHA256 == it.sum:
		return yes
	case info.SHA256 != digest{}, it.size >= 0 && it.size != info.Size, u.contradicts(it):
		return no
	case u.agrees(it):
		return yes
	}
	return unknown
}

// agrees says whether the store's meta.json records the same bytes.
func (u *uploader) agrees(it *item) bool {
	im, ok := u.dst.recorded(it.arch.arch, it.image.Path)
	return ok && im.SHA256 == it.image.SHA256
}

// contradicts says whether the store's meta.json records other bytes under the
// same name.
func (u *uploader) contradicts(it *item) bool {
	im, ok := u.dst.recorded(it.arch.arch, it.image.Path)
	return ok && im.SHA256 != it.image.SHA256
}

// outdated says whether somebody recorded another file for the same kind since:
// the same image compressed, for example.
func (u *uploader) outdated(it *item) bool {
	m := u.dst.metas[it.arch.arch]
	if m == nil {
		return false
	}
	im, ok := m.Image(it.image.Kind)
	return ok && im.Path != it.image.Path && stamp(m) > stamp(it.arch.meta)
}

func stamp(m *index.Meta) int64 {
	ns, _ := m.Stamp()
	return ns
}

// endangered says whether garbage collection might be about to delete an object;
// see stale.
func (u *uploader) endangered(it *item, info backend.Info) bool {
	listed := u.dst.list.Has(u.src.id)
	if it.arch != nil {
		listed = u.dst.listed(u.src.id, it.arch.arch)
	}
	return !listed && u.Now().Sub(info.ModTime) >= stale
}
