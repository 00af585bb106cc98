package catalog

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"cosafs/index"
)

// Find gives the builds that match, newest first; of one build in the list's order
// of architectures. Nothing is asked of the store: a query for a package answers
// from what [Catalog.SyncPackages] brought. Damage, and a store that was never
// synced (fs.ErrNotExist), are told as the last element.
func (c *Catalog) Find(ctx context.Context, store string, q Query) iter.Seq2[Match, error] {
	return func(yield func(Match, error) bool) {
		if err := c.find(ctx, store, q, yield); err != nil {
			yield(Match{}, fmt.Errorf("look for builds of %s: %w", store, err))
		}
	}
}

func (c *Catalog) find(ctx context.Context, store string, q Query, yield func(Match, error) bool) error {
	q.normalise()
	list, err := c.candidates(store, &q)
	if err != nil {
		return err
	}
	found := 0
	for _, cand := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, ok, err := c.match(store, &q, cand)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if !yield(m, nil) {
			return nil
		}
		if found++; found == q.Limit {
			return nil
		}
	}
	return nil
}

// normalise spells a query as records are spelled. Only one match is the oldest.
func (q *Query) normalise() {
	q.Commit, q.SHA256 = strings.ToLower(q.Commit), strings.ToLower(q.SHA256)
	if q.Oldest {
		q.Limit = 1
	}
}

// A candidate is an architecture of a build that matches as far as its head tells.
type candidate struct {
	id, arch string
	place    int // in the list
	ref      uint32
	tags     []string
	packages []index.Package
}

// match reads a candidate and compares what its head doesn't tell.
func (c *Catalog) match(store string, q *Query, cand candidate) (Match, bool, error) {
	a, err := c.Arch(store, cand.id, cand.arch)
	if errors.Is(err, fs.ErrNotExist) {
		return Match{}, false, nil // it went while we looked
	}
	if err != nil {
		return Match{}, false, err
	}
	m := Match{Arch: a, Tags: cand.tags, Packages: cand.packages}
	if !strings.HasPrefix(strings.ToLower(a.Commit), q.Commit) {
		return m, false, nil
	}
	if q.Kind == "" && q.SHA256 == "" {
		return m, true, nil
	}
	for _, im := range a.Images {
		if q.matchesImage(im) {
			m.Matched = append(m.Matched, im)
		}
	}
	return m, len(m.Matched) > 0, nil
}

func (q *Query) matchesImage(im index.Image) bool {
	return (q.Kind == "" || string(im.Kind) == q.Kind) &&
		(q.SHA256 == "" || strings.HasPrefix(strings.ToLower(im.SHA256), q.SHA256) ||
			strings.HasPrefix(strings.ToLower(im.UncompressedSHA256), q.SHA256))
}

// candidates gives what may match, in the order that is wanted.
func (c *Catalog) candidates(store string, q *Query) (list []candidate, err error) {
	err = c.view(func(r reader) error {
		list, err = r.candidates(store, q)
		return err
	})
	slices.SortStableFunc(list, func(a, b candidate) int { return a.place - b.place })
	if q.Oldest {
		slices.Reverse(list)
	}
	return list, err
}

func (r reader) candidates(store string, q *Query) ([]candidate, error) {
	num, err := r.number(store)
	if err != nil {
		return nil, err
	}
	s, err := r.state(num)
	if err != nil {
		return nil, err
	}
	o, err := r.order(num, s)
	if err != nil {
		return nil, err
	}
	only, err := r.selection(num, q)
	if err != nil {
		return nil, err
	}
	place := make(map[string]int, len(o.ids))
	for i, id := range o.ids {
		place[id] = i
	}
	tags := make(map[string][]string)
	for _, t := range o.tags {
		tags[t.target] = append(tags[t.target], t.name)
	}
	var list []candidate
	err = r.builds(num, q.ID, func(id string, b buildRecord) {
		at, listed := place[id]
		if !listed || q.Tag != "" && !slices.Contains(tags[id], q.Tag) {
			return
		}
		for _, h := range b.heads {
			if cand := (candidate{id: id, arch: h.Name, place: at, ref: h.ref, tags: tags[id]}); only.admits(&cand) && q.matchesHead(h) {
				list = append(list, cand)
			}
		}
	})
	return list, err
}

// matchesHead compares what a head tells. A build whose time is not known was
// built neither before nor after.
func (q *Query) matchesHead(h head) bool {
	switch {
	case q.Arch != "" && h.Name != q.Arch,
		q.Kind != "" && h.kinds&kindBit(q.Kind) == 0,
		h.Time.IsZero() && (!q.After.IsZero() || !q.Before.IsZero()),
		!q.After.IsZero() && h.Time.Before(q.After),
		!q.Before.IsZero() && !h.Time.Before(q.Before):
		return false
	}
	return true
}

// A selection is the refs that an index of its own names. Maps that are nil admit
// all.
type selection struct {
	commits, digests map[uint32]bool
	packages         map[uint32][]index.Package
}

func (s *selection) admits(c *candidate) bool {
	if s.commits != nil && !s.commits[c.ref] || s.digests != nil && !s.digests[c.ref] {
		return false
	}
	if s.packages != nil {
		c.packages = s.packages[c.ref]
		return len(c.packages) > 0
	}
	return true
}

// selection asks the indexes that the query has use for.
func (r reader) selection(num uint16, q *Query) (s selection, err error) {
	if q.Commit != "" {
		s.commits, err = r.refsOf(kindCommit, num, q.Commit)
	}
	if q.SHA256 != "" && err == nil {
		s.digests, err = r.refsOf(kindDigest, num, q.SHA256)
	}
	if q.Package != "" && err == nil {
		s.packages, err = r.packaged(num, q.Package)
	}
	return s, err
}

// refsOf gives the refs under which a digest may be found that begins so. What is
// no beginning of a digest has none.
func (r reader) refsOf(kind byte, num uint16, begin string) (map[uint32]bool, error) {
	found := make(map[uint32]bool)
	begin = begin[:min(len(begin), 2*digestWidth)]
	first, err := hex.DecodeString(begin + "0"[:len(begin)%2])
	if err != nil {
		return found, nil //nolint:nilerr // the query is odd, nothing failed
	}
	prefix := storeKey(kind, num)
	from := append(slices.Clone(prefix), first...)
	err = r.each(prefix, from, func(key, _ []byte) (bool, error) {
		digest, ref, err := splitDigestKey(key)
		if err != nil || !strings.HasPrefix(digest, begin) {
			return false, err
		}
		found[ref] = true
		return true, nil
	})
	return found, err
}
