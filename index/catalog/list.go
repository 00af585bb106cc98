package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"cosafs/index"
)

// number gives a store's number, fs.ErrNotExist for a store never synced.
func (r reader) number(store string) (uint16, error) {
	data, err := r.get(nameKey(store))
	if err != nil {
		return 0, err
	}
	d := decoder{rest: data}
	num := d.uint()
	return uint16(num), d.end("a store's name")
}

// state gives what is known of a store, fs.ErrNotExist before its first sync is
// complete.
func (r reader) state(num uint16) (storeState, error) {
	data, err := r.get(storeKey(kindState, num))
	if err != nil {
		return storeState{}, err
	}
	return decodeState(data)
}

// order gives the order of a store's builds.
func (r reader) order(num uint16, s storeState) (order, error) {
	data, err := r.text(textKey(num, s.generation, textOrder))
	if err != nil {
		return order{}, err
	}
	return decodeOrder(data)
}

// build gives the record of a build.
func (r reader) build(num uint16, id string) (buildRecord, error) {
	data, err := r.get(buildKey(num, id))
	if err != nil {
		return buildRecord{}, err
	}
	return decodeBuild(data)
}

// builds calls fn with the records of the builds whose ids begin so.
func (r reader) builds(num uint16, prefix string, fn func(id string, b buildRecord)) error {
	key := buildKey(num, prefix)
	return r.each(key, key, func(key, payload []byte) (bool, error) {
		b, err := decodeBuild(payload)
		if err == nil {
			fn(string(key[3:]), b)
		}
		return true, err
	})
}

// arch gives the record that a head names.
func (r reader) arch(num uint16, h head) (Arch, error) {
	packed, err := r.get(archKey(num, h.ref))
	if err != nil {
		return Arch{}, missing(err)
	}
	data, err := unpack(packed)
	if err != nil {
		return Arch{}, err
	}
	a, err := decodeArch(data)
	if err == nil && a.Stamp != h.Stamp {
		err = fmt.Errorf("%w: %s/%s is not what its build tells", ErrDamaged, a.ID, a.Name)
	}
	return a, err
}

// missing is for records that others name: they have to be there.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrDamaged, err.Error()) // not wrapped: it proves nothing of the store
	}
	return err
}

// Top gives a store's list. fs.ErrNotExist before the first sync.
func (c *Catalog) Top(store string) (Top, error) {
	var s storeState
	var data []byte
	err := c.view(func(r reader) error {
		num, err := r.number(store)
		if err != nil {
			return err
		}
		if s, err = r.state(num); err != nil {
			return err
		}
		data, err = r.text(textKey(num, s.generation, textList))
		return err
	})
	if err != nil {
		return Top{}, fmt.Errorf("the list of %s: %w", store, err)
	}
	list, err := index.ParseBuilds(data)
	return Top{List: list, Data: data, File: s.list, Synced: s.synced}, err
}

// Builds gives a store's builds in the list's order, newest first, as they were
// when the loop began. Damage, and a store that was never synced (fs.ErrNotExist),
// are told as the only element.
func (c *Catalog) Builds(ctx context.Context, store string) iter.Seq2[Build, error] {
	return func(yield func(Build, error) bool) {
		ids, records, err := c.listing(store)
		if err != nil {
			yield(Build{}, fmt.Errorf("the builds of %s: %w", store, err))
			return
		}
		for _, id := range ids {
			if err := ctx.Err(); err != nil {
				yield(Build{}, err)
				return
			}
			if !yield(publicBuild(id, records[id]), nil) {
				return
			}
		}
	}
}

// listing gives the ids in order, and the records of all.
func (c *Catalog) listing(store string) ([]string, map[string]buildRecord, error) {
	var o order
	records := make(map[string]buildRecord)
	err := c.view(func(r reader) error {
		num, err := r.number(store)
		if err != nil {
			return err
		}
		s, err := r.state(num)
		if err != nil {
			return err
		}
		if o, err = r.order(num, s); err != nil {
			return err
		}
		if err := r.builds(num, "", func(id string, b buildRecord) { records[id] = b }); err != nil {
			return err
		}
		return o.covered(records)
	})
	return o.ids, records, err
}

// covered says whether all builds of the order have records.
func (o *order) covered(records map[string]buildRecord) error {
	for _, id := range o.ids {
		if _, ok := records[id]; !ok {
			return fmt.Errorf("%w: build %s is missing", ErrDamaged, id)
		}
	}
	return nil
}

func publicBuild(id string, b buildRecord) Build {
	heads := make([]Head, len(b.heads))
	for i := range b.heads {
		heads[i] = b.heads[i].Head
	}
	return Build{ID: id, Time: b.time(), Arches: heads, Files: b.files, Cleanup: b.cleanup}
}

// Arch gives what is known of a build for one architecture. fs.ErrNotExist where
// the store's list has it not.
func (c *Catalog) Arch(store, id, arch string) (a Arch, err error) {
	err = c.view(func(r reader) error {
		num, h, err := r.find(store, id, arch)
		if err == nil {
			a, err = r.arch(num, h)
		}
		return err
	})
	if err != nil {
		return Arch{}, fmt.Errorf("build %s for %s of %s: %w", id, arch, store, err)
	}
	return a, nil
}

// find gives a store's number and the head of a build for one architecture.
func (r reader) find(store, id, arch string) (uint16, head, error) {
	num, err := r.number(store)
	if err != nil {
		return 0, head{}, err
	}
	b, err := r.build(num, id)
	if err != nil {
		return 0, head{}, err
	}
	h, ok := b.head(arch)
	if !ok {
		return 0, head{}, fs.ErrNotExist
	}
	return num, h, nil
}
