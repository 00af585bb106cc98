package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"io/fs"
	"runtime/debug"

	"github.com/dgraph-io/badger/v4"
)

var checkTable = crc32.MakeTable(crc32.Castagnoli)

// guarded gives a value as it is stored: with a checksum that covers the key, too.
func guarded(key, payload []byte) []byte {
	sum := crc32.Update(crc32.Checksum(key, checkTable), checkTable, payload)
	return binary.LittleEndian.AppendUint32(append(make([]byte, 0, len(payload)+4), payload...), sum)
}

// checked undoes guarded. Keys that only are there have no value.
func checked(key, value []byte) ([]byte, error) {
	if len(value) == 0 {
		return nil, nil
	}
	if len(value) >= 4 {
		payload, sum := value[:len(value)-4], value[len(value)-4:]
		if binary.LittleEndian.Uint32(sum) == crc32.Update(crc32.Checksum(key, checkTable), checkTable, payload) {
			return payload, nil
		}
	}
	return nil, fmt.Errorf("%w: the checksum of record %q is wrong", ErrDamaged, key)
}

// A reader reads one state of the catalog.
type reader struct{ txn *badger.Txn }

// get gives a record; fs.ErrNotExist where there is none.
func (r reader) get(key []byte) ([]byte, error) {
	item, err := r.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, fmt.Errorf("record %q: %w", key, fs.ErrNotExist)
	}
	var value []byte
	if err == nil {
		value, err = item.ValueCopy(nil)
	}
	if err != nil {
		return nil, unreadable(err)
	}
	return checked(key, value)
}

// unreadable gives an error of reading the database as what it means.
func unreadable(err error) error {
	if errors.Is(err, badger.ErrDBClosed) {
		return fmt.Errorf("%w: %w", fs.ErrClosed, err)
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// each calls fn with the records below prefix, from the key from on, in the order
// of keys, until it says stop. fn must not keep what it is given.
func (r reader) each(prefix, from []byte, fn func(key, payload []byte) (more bool, err error)) error {
	it := r.txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	for it.Seek(from); it.Valid(); it.Next() {
		item := it.Item()
		more := false
		err := item.Value(func(value []byte) error {
			payload, err := checked(item.Key(), value)
			if err == nil {
				more, err = fn(item.Key(), payload)
			}
			return err
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// keys gives the first keys below prefix, limit at most.
func (r reader) keys(prefix []byte, limit int) (keys [][]byte, err error) {
	err = r.each(prefix, prefix, func(key, _ []byte) (bool, error) {
		keys = append(keys, append([]byte(nil), key...))
		return len(keys) < limit, nil
	})
	return keys, err
}

// A writer changes the catalog: all of it, or nothing. It keeps a sum over all
// records. The sum is wrong when the database lost some, or has an older one, which
// badger doesn't notice where its log or its list of tables is cut short.
type writer struct {
	reader
	sum uint64
}

// weight is what a record adds to the sum.
func weight(key, value []byte) uint64 {
	return crc64.Update(crc64.Checksum(key, stampTable), stampTable, value)
}

// put writes a record, whether it is there or not.
func (w *writer) put(key, payload []byte) error {
	if err := w.forget(key); err != nil {
		return err
	}
	value := guarded(key, payload)
	w.sum += weight(key, value)
	return w.txn.Set(key, value)
}

// add writes a key without value that isn't there yet.
func (w *writer) add(key []byte) error {
	w.sum += weight(key, nil)
	return w.txn.Set(key, nil)
}

// del deletes a record, whether it is there or not.
func (w *writer) del(key []byte) error {
	if err := w.forget(key); err != nil {
		return err
	}
	return w.txn.Delete(key)
}

// forget takes a record off the sum.
func (w *writer) forget(key []byte) error {
	item, err := w.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil
	}
	if err == nil {
		err = item.Value(func(value []byte) error {
			w.sum -= weight(key, value)
			return nil
		})
	}
	if err != nil {
		return unreadable(err)
	}
	return nil
}

// view runs fn on the catalog as it is now. fn must be short: it holds up whoever
// wants to close the catalog.
func (c *Catalog) view(fn func(reader) error) error {
	return c.guard(func(db *badger.DB) error {
		txn := db.NewTransaction(false)
		defer txn.Discard()
		return fn(reader{txn})
	})
}

// update runs fn and commits what it did. A disk that is full is an error before
// anything is written.
func (c *Catalog) update(fn func(*writer) error) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.guard(func(db *badger.DB) error {
		if err := c.room(); err != nil {
			return err
		}
		txn := db.NewTransaction(true)
		defer txn.Discard()
		w, err := newWriter(txn)
		if err == nil {
			err = fn(w)
		}
		if err != nil {
			return err
		}
		return w.commit()
	})
}

// newWriter starts with the sum as it is.
func newWriter(txn *badger.Txn) (*writer, error) {
	w := &writer{reader: reader{txn}}
	var err error
	w.sum, err = w.storedSum()
	return w, err
}

// commit writes the sum and commits.
func (w *writer) commit() error {
	key := []byte{kindSum}
	if err := w.txn.Set(key, guarded(key, binary.LittleEndian.AppendUint64(nil, w.sum))); err != nil {
		return err
	}
	return w.txn.Commit()
}

// storedSum gives the sum as it was written last, 0 in a new catalog.
func (r reader) storedSum() (uint64, error) {
	data, err := r.get([]byte{kindSum})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err == nil && len(data) != 8:
		return 0, fmt.Errorf("%w: the sum is no number", ErrDamaged)
	case err != nil:
		return 0, err
	}
	return binary.LittleEndian.Uint64(data), nil
}

// guard runs fn on the database and drops it where fn finds it damaged. Badger
// panics on some damage, which is not better and not worse than an error.
func (c *Catalog) guard(fn func(*badger.DB) error) error {
	db, err := c.use(fn)
	if errors.Is(err, ErrDamaged) && db != nil {
		c.drop(db, err)
	}
	return err
}

func (c *Catalog) use(fn func(*badger.DB) error) (db *badger.DB, err error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.db == nil {
		return nil, fmt.Errorf("the index in %s: %w", c.dir, fs.ErrClosed)
	}
	return c.db, contain(func() error { return fn(c.db) })
}

// contain makes a panic an error.
func contain(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: panic: %v\n%s", ErrDamaged, r, debug.Stack())
		}
	}()
	return fn()
}
