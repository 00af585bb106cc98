package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"cosafs/backend"
	"cosafs/materialize"
)

// rangeSize is how much is asked for at once, and lost at most by each worker of
// a process that is killed, in bytes. Measured: from 16 MiB on larger ones are no
// faster.
const rangeSize = 16 << 20

// Suffixes of an object's files in the spool.
const (
	partSuffix = ".part" // its bytes, with holes
	markSuffix = ".mark" // a byte for each range: 1 if its bytes are on the disk
	doneSuffix = ".done" // its bytes, verified
)

func (s spool) done(o *object) string { return s.path(o.id + doneSuffix) }

func (s spool) isDone(o *object) bool {
	_, err := os.Lstat(s.done(o))
	return err == nil
}

// A part is an object that is being downloaded. Several goroutines may write
// ranges of it.
type part struct {
	spool spool
	o     *object
	step  int64 // bytes of a range
	data  *os.File
	marks *os.File
}

// part opens what there is of an object, or begins it. What the spool has of
// other versions of it goes. An object that comes in one piece, because its store
// has no ranges or no versions, always begins anew.
func (s spool) part(o *object, whole bool) (*part, error) {
	p := &part{spool: s, o: o, step: rangeSize}
	flags := os.O_RDWR | os.O_CREATE
	if whole {
		p.step = max(o.info.Size, 1)
		flags |= os.O_TRUNC
	}
	if err := s.dropOthers(o); err != nil {
		return nil, err
	}
	var err error
	if p.marks, err = os.OpenFile(s.path(o.id+markSuffix), flags, 0o644); err != nil {
		return nil, err
	}
	if p.data, err = os.OpenFile(s.path(o.id+partSuffix), flags, 0o644); err == nil {
		err = p.grow()
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// grow gives the file its size. One that is new has no ranges, whatever the marks
// of an earlier one say.
func (p *part) grow() error {
	st, err := p.data.Stat()
	if err != nil || st.Size() == p.o.info.Size {
		return err
	}
	return errors.Join(p.marks.Truncate(0), p.data.Truncate(p.o.info.Size))
}

// dropOthers removes other versions of an object.
func (s spool) dropOthers(o *object) error {
	key, _, _ := strings.Cut(o.id, "-")
	entries, err := os.ReadDir(s.dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), key+"-") && !strings.HasPrefix(e.Name(), o.id) {
			err = errors.Join(err, os.Remove(s.path(e.Name())))
		}
	}
	return err
}

// missing gives the ranges that aren't here, by number.
func (p *part) missing() ([]int64, error) {
	marks, err := os.ReadFile(p.marks.Name())
	if err != nil {
		return nil, err
	}
	var all []int64
	for i := int64(0); i*p.step < p.o.info.Size; i++ {
		if i >= int64(len(marks)) || marks[i] != 1 {
			all = append(all, i)
		}
	}
	return all, nil
}

// span gives a range by its number.
func (p *part) span(i int64) backend.Range {
	off := i * p.step
	return backend.Range{Off: off, Len: min(p.step, p.o.info.Size-off)}
}

// mark notes that a range is here. Its bytes reach the disk before the mark does.
func (p *part) mark(i int64) error {
	if err := unix.Fdatasync(int(p.data.Fd())); err != nil {
		return fmt.Errorf("sync %s: %w", p.data.Name(), err)
	}
	_, err := p.marks.WriteAt([]byte{1}, i)
	return err
}

// seal checks the whole and makes it a verified file. A wrong one is removed and
// gives [materialize.ErrCorrupt].
func (p *part) seal(ctx context.Context) error {
	if _, err := p.data.Seek(0, 0); err != nil {
		return err
	}
	sum, err := sumOf(ctx, p.data)
	if err != nil {
		return err
	}
	if p.o.sha256 != "" && sum != p.o.sha256 {
		return errors.Join(fmt.Errorf("it has the sha256 %s: %w", sum, materialize.ErrCorrupt), p.drop())
	}
	if err := errors.Join(p.data.Chmod(0o444), p.data.Sync()); err != nil {
		return err
	}
	if err := os.Rename(p.data.Name(), p.spool.done(p.o)); err != nil {
		return err
	}
	return errors.Join(syncDir(p.spool.dir), os.Remove(p.marks.Name()))
}

// drop removes what there is.
func (p *part) drop() error {
	return errors.Join(os.Remove(p.marks.Name()), os.Remove(p.data.Name()))
}

func (p *part) close() error {
	err := p.marks.Close()
	if p.data != nil {
		err = errors.Join(err, p.data.Close())
	}
	return err
}
