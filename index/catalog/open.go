package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"golang.org/x/sys/unix"
)

// Names below the catalog's directory.
const (
	dbName   = "db"   // what badger keeps; all of it may be deleted
	lockName = "lock" // held while the catalog is open
	sealName = "seal" // what db has looked like since it was closed
	tryName  = "open" // there while db is being opened without a seal
)

// Sizes in bytes. The log's files are mapped into memory; writing to one on a
// full disk would kill the process, hence floor: what a few of them take.
const (
	memtable  = 4 << 20
	maxValue  = 512 << 10 // longer values would go to badger's value log, which a crash can falsify
	chunkSize = 128 << 10
	floor     = 64 << 20
)

// tuning gives badger's options: little memory, all values in the tree, so that
// nothing is ever collected. TestTenThousandBuilds measures what they cost.
// Writes are not flushed one by one: [Catalog.Sync] flushes when it is done, and
// after a loss of power the sum tells whether something is missing.
func tuning(dir string, log *slog.Logger) badger.Options {
	o := badger.LSMOnlyOptions(dir).
		WithLogger(logger{log}).WithMetricsEnabled(false).
		WithMemTableSize(memtable).WithBaseTableSize(1 << 20).WithNumMemtables(2).WithValueThreshold(maxValue).WithValueLogFileSize(1 << 20).
		WithCompression(options.None).WithBlockCacheSize(0).WithIndexCacheSize(0). // records are packed; tables are mapped
		WithNumCompactors(2).WithNumLevelZeroTables(5).WithNumLevelZeroTablesStall(10).
		WithDetectConflicts(false). // one writer at a time
		WithChecksumVerificationMode(options.OnBlockRead)
	o.TableSizeMultiplier = 1 // a compaction keeps up to eight buffers of twice a table's size
	return o
}

// start opens the database, a new one where there is none that can be used. It ends
// when alive gives an error. Call it with the lock of the directory held.
func (c *Catalog) start(alive func() error) error {
	db, err := c.openDB(alive)
	if err != nil && alive() == nil && !isTrouble(err) {
		c.log.Warn("the index is dropped and will be filled again", "dir", c.dir, "err", err)
		if err = c.clear(); err == nil {
			db, err = c.openDB(alive)
		}
	}
	if err != nil {
		return err
	}
	c.db = db
	return nil
}

// isTrouble tells trouble of the system, which deleting an index would not mend.
func isTrouble(err error) bool {
	for _, errno := range []unix.Errno{unix.ENOSPC, unix.EDQUOT, unix.EACCES, unix.EPERM, unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EROFS} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// openDB opens the database if it is whole and of our format.
func (c *Catalog) openDB(alive func() error) (db *badger.DB, err error) {
	if err := c.room(); err != nil {
		return nil, err
	}
	sealed, err := c.unseal()
	if err == nil && !sealed {
		err = c.prepare(alive)
	}
	if err != nil {
		return nil, err
	}
	err = contain(func() (err error) {
		db, err = badger.Open(tuning(c.path(dbName), c.log))
		return err
	})
	if err != nil {
		return nil, err
	}
	err = contain(func() error {
		if sealed {
			return checkFormat(db)
		}
		return errors.Join(checkSum(db, alive), checkFormat(db))
	})
	if err == nil {
		err = remove(c.path(tryName))
	}
	if err != nil {
		return nil, errors.Join(err, contain(db.Close))
	}
	return db, nil
}

// prepare looks at a database that was not closed, before badger does: on some
// damage badger ends the process. Where it does so for all that, the next start
// knows by the file that was left.
func (c *Catalog) prepare(alive func() error) error {
	f, err := os.OpenFile(c.path(tryName), os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: the program died while it opened it", ErrDamaged)
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), checkTables(c.path(dbName), alive))
}

// checkFormat refuses a database of another format. A new one gets ours.
func checkFormat(db *badger.DB) error {
	txn := db.NewTransaction(true)
	defer txn.Discard()
	w, err := newWriter(txn)
	if err != nil {
		return err
	}
	key := []byte{kindFormat}
	have, err := w.get(key)
	switch {
	case err == nil && !bytes.Equal(have, format()):
		return fmt.Errorf("%w: it has format %q, this program %q", ErrDamaged, have, format())
	case err == nil || !errors.Is(err, fs.ErrNotExist):
		return err
	case w.sum != 0:
		return fmt.Errorf("%w: it has no format", ErrDamaged)
	}
	if err := w.put(key, format()); err != nil {
		return err
	}
	return w.commit()
}

// checkSum looks whether all that was written is there.
func checkSum(db *badger.DB, alive func() error) error {
	txn := db.NewTransaction(false)
	defer txn.Discard()
	r := reader{txn}
	want, err := r.storedSum()
	if err != nil {
		return err
	}
	sum := uint64(0)
	it := txn.NewIterator(badger.IteratorOptions{})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		if err := alive(); err != nil {
			return err
		}
		item := it.Item()
		if key := item.Key(); len(key) > 0 && key[0] != kindSum {
			if err := item.Value(func(value []byte) error { sum += weight(key, value); return nil }); err != nil {
				return unreadable(err)
			}
		}
	}
	if sum != want {
		return fmt.Errorf("%w: records are missing", ErrDamaged)
	}
	return nil
}

// drop deletes a database that was found damaged and starts a new one, once
// nobody uses it any more.
func (c *Catalog) drop(db *badger.DB, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.db != db {
		return // somebody else was faster
	}
	c.log.Warn("the index is dropped and will be filled again", "dir", c.dir, "err", why)
	c.db = nil
	err := contain(db.Close)
	if err != nil {
		c.log.Debug("close a damaged index", "dir", c.dir, "err", err)
	}
	if err = c.clear(); err == nil {
		err = c.start(func() error { return nil })
	}
	if err != nil {
		c.log.Error("no new index can be started", "dir", c.dir, "err", err)
	}
}

// clear deletes the database. What says that it is whole goes first.
func (c *Catalog) clear() error {
	return errors.Join(remove(c.path(sealName)), os.RemoveAll(c.path(dbName)), remove(c.path(tryName)))
}

// remove deletes a file that need not be there.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// room refuses to write where the disk is almost full, see floor.
func (c *Catalog) room() error {
	var st unix.Statfs_t
	if err := unix.Statfs(c.dir, &st); err != nil {
		return fmt.Errorf("ask for the room in %s: %w", c.dir, err)
	}
	if free := st.Bavail * uint64(st.Bsize); free < floor {
		return fmt.Errorf("%s has only %d MB left, the index wants %d: %w", c.dir, free>>20, floor>>20, unix.ENOSPC)
	}
	return nil
}

// lockDir takes the lock of a directory, which ends with the process.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir+"/"+lockName, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = fmt.Errorf("another process has it open: %w", fs.ErrExist)
		}
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
