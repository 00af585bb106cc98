package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"cosafs/index"
)

const commitMetaFile = "commitmeta.json"

// packageParallel is how many package lists are fetched at once. Each takes a
// megabyte or two while it is parsed.
const packageParallel = 8

// packageBatch is how many package lists are worked in at once. Most packages are
// in all of them, and are written once.
const packageBatch = 200

// SyncPackages fetches the package lists of the builds that q matches, but for its
// Package, where they are missing. fs.ErrNotExist for a store that was never
// synced. A list that the store hasn't got, or that can't be parsed, is not asked
// for again. progress may be nil.
func (c *Catalog) SyncPackages(ctx context.Context, store string, src Source, q Query, progress func(done, total int)) error {
	leave, err := c.syncs.enter(ctx.Done(), store)
	if err != nil {
		return context.Cause(ctx)
	}
	defer leave()
	q.Package, q.Oldest, q.Limit = "", false, 0
	wanted, num, err := c.unpackaged(ctx, store, q)
	for done := 0; err == nil && done < len(wanted); {
		batch := wanted[done:min(done+packageBatch, len(wanted))]
		err = c.packageBatch(ctx, num, src, batch)
		done += len(batch)
		if progress != nil && err == nil {
			progress(done, len(wanted))
		}
	}
	if err == nil && len(wanted) > 0 {
		err = c.flush()
	}
	if err != nil {
		return fmt.Errorf("fetch package lists of %s: %w", store, err)
	}
	return nil
}

// A wanted is an architecture of a build whose packages are not known.
type wanted struct {
	id, file string // the name of the list in the build's directory
	ref      uint32
	lacking  bool // the store is known not to have it
	packages []index.Package
	usable   bool
}

// unpackaged gives the builds that match and whose packages are not known, oldest
// first.
func (c *Catalog) unpackaged(ctx context.Context, store string, q Query) (list []wanted, num uint16, err error) {
	q.normalise()
	candidates, err := c.candidates(store, &q)
	if err != nil {
		return nil, 0, err
	}
	var known, unknowable refs
	err = c.view(func(r reader) error {
		if num, err = r.number(store); err != nil {
			return err
		}
		if known, err = r.refs(knownKey(num, true)); err != nil {
			return err
		}
		unknowable, err = r.refs(knownKey(num, false))
		return err
	})
	for _, cand := range slices.Backward(candidates) {
		if err != nil || ctx.Err() != nil {
			return nil, 0, errors.Join(err, ctx.Err())
		}
		if known.has(cand.ref) || unknowable.has(cand.ref) {
			continue
		}
		m, ok, err := c.match(store, &q, cand)
		if err != nil {
			return nil, 0, err
		}
		if ok && m.Problem == "" {
			list = append(list, wantedOf(m, cand.ref))
		}
	}
	return list, num, err
}

func wantedOf(m Match, ref uint32) wanted {
	file := commitMetaFile
	if m.Name != "" {
		file = m.Name + "/" + commitMetaFile
	}
	has := slices.ContainsFunc(m.Files, func(f File) bool { return f.Name == commitMetaFile })
	return wanted{id: m.ID, file: file, ref: ref, lacking: m.Listed && !has}
}

// packageBatch fetches some lists and works them in.
func (c *Catalog) packageBatch(ctx context.Context, num uint16, src Source, batch []wanted) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(packageParallel)
	for i := range batch {
		if w := &batch[i]; !w.lacking {
			group.Go(func() error { return w.fetch(ctx, src) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	has := make(map[index.Package][]uint32)
	var known, unknowable []uint32
	for i := range batch {
		w := &batch[i]
		if !w.usable {
			unknowable = append(unknowable, w.ref)
			continue
		}
		known = append(known, w.ref)
		for _, p := range w.packages {
			has[p] = append(has[p], w.ref)
		}
		w.packages = nil
	}
	if err := c.addPackages(num, has); err != nil {
		return err
	}
	// Only now do the lists count: a kill before leaves nothing half known.
	return c.update(func(w *writer) error {
		return errors.Join(w.addRefs(knownKey(num, true), known), w.addRefs(knownKey(num, false), unknowable))
	})
}

// fetch reads one list. Absence and damage leave it unusable.
func (w *wanted) fetch(ctx context.Context, src Source) error {
	data, _, err := src.Read(ctx, w.id, w.file, "")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s/%s: %w", w.id, w.file, err)
	}
	doc, err := index.ParseCommitMeta(data)
	if err != nil {
		return nil //nolint:nilerr // it stays unusable, which is all there is to say
	}
	w.packages = doc.Packages()
	w.usable = len(w.packages) > 0 && !slices.ContainsFunc(w.packages, func(p index.Package) bool { return !validPackage(p) })
	return nil
}

// validPackage says whether a package can be a key.
func validPackage(p index.Package) bool {
	all := p.Name + p.Epoch + p.Version + p.Release + p.Arch
	return p.Name != "" && len(all) < 1000 && !strings.Contains(all, "\x00")
}

// addPackages adds refs to packages, some packages in each transaction.
func (c *Catalog) addPackages(num uint16, has map[index.Package][]uint32) error {
	const batch = 1000
	packages := make([]index.Package, 0, len(has))
	for p := range has {
		packages = append(packages, p)
	}
	for some := range slices.Chunk(packages, batch) {
		err := c.update(func(w *writer) error {
			for _, p := range some {
				if err := w.addRefs(packageKey(num, p), has[p]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// refs gives a set of refs, an empty one where there is none.
func (r reader) refs(key []byte) (refs, error) {
	data, err := r.get(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeRefs(data)
}

// addRefs adds to a set of refs.
func (w *writer) addRefs(key []byte, more []uint32) error {
	if len(more) == 0 {
		return nil
	}
	have, err := w.refs(key)
	if err != nil {
		return err
	}
	return w.put(key, have.with(more).encode())
}

// packaged gives which refs have which of the packages that are asked for.
func (r reader) packaged(num uint16, query string) (map[uint32][]index.Package, error) {
	known, err := r.refs(knownKey(num, true))
	if err != nil {
		return nil, err
	}
	found := make(map[uint32][]index.Package)
	for _, name := range namesIn(query) {
		prefix := packagePrefix(num, name)
		err := r.each(prefix, prefix, func(key, payload []byte) (bool, error) {
			p, ok := packageOf(key)
			if !ok {
				return false, fmt.Errorf("%w: the key of a package of %s", ErrDamaged, name)
			}
			if !isPackage(p, query) {
				return true, nil
			}
			return true, eachSpan(payload, func(sp span) bool {
				for ref := uint64(sp.first); ref <= uint64(sp.last); ref++ {
					if known.has(uint32(ref)) {
						found[uint32(ref)] = append(found[uint32(ref)], p)
					}
				}
				return true
			})
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// namesIn gives the names that a query may mean: all of it, or what is left
// without version, and without version and release.
func namesIn(query string) []string {
	names := []string{query}
	for range 2 {
		last := names[len(names)-1]
		if i := strings.LastIndexByte(last, '-'); i > 0 {
			names = append(names, last[:i])
		}
	}
	return slices.Compact(names)
}

// isPackage says whether a package is meant: NAME, NAME-VERSION, NAME-VERSION-RELEASE,
// the latter with the epoch and the architecture, too.
func isPackage(p index.Package, query string) bool {
	version := p.Name + "-" + p.Version
	release := version + "-" + p.Release
	return slices.Contains([]string{p.Name, version, release, release + "." + p.Arch, p.Name + "-" + p.EVR(), p.String()}, query)
}

// Packages gives the packages of a build by name. fs.ErrNotExist where they are
// not known: [Catalog.SyncPackages] did not fetch them, or could not.
func (c *Catalog) Packages(ctx context.Context, store, id, arch string) (list []index.Package, err error) {
	err = c.view(func(r reader) error {
		num, h, err := r.find(store, id, arch)
		if err != nil {
			return err
		}
		known, err := r.refs(knownKey(num, true))
		if err != nil {
			return err
		}
		if !known.has(h.ref) {
			return fs.ErrNotExist
		}
		prefix := storeKey(kindPackage, num)
		return r.each(prefix, prefix, func(key, payload []byte) (bool, error) {
			has, err := encodedHas(payload, h.ref)
			if err != nil || ctx.Err() != nil {
				return false, errors.Join(err, ctx.Err())
			}
			p, ok := packageOf(key)
			if has && ok {
				list = append(list, p)
			}
			return true, nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("packages of %s/%s of %s: %w", id, arch, store, err)
	}
	return list, nil
}
