package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"cosafs/index"
)

// Defaults of [Options].
const (
	defaultParallel = 32
	defaultRecheck  = 20
)

// Sync brings what is known of a store up to date: one request where the list is
// the one that is known, and for each build that is new or looked at again one for
// its files, if the store lists, and one for each meta.json whose version is not
// known.
//
// A store that can't be asked is an error and leaves everything as it was. What
// concerns one architecture only is its [Arch.Problem]; what was known of it stays
// where the store did not say what is now. When ctx ends, Sync ends; what it did
// by then counts, and the next one goes on. Builds that are new show when all is
// done. Syncs of one store wait for one another; several stores may be synced at
// once.
func (c *Catalog) Sync(ctx context.Context, store string, src Source, o Options) (Report, error) {
	leave, err := c.syncs.enter(ctx.Done(), store)
	if err != nil {
		return Report{}, context.Cause(ctx)
	}
	defer leave()
	report, err := c.sync(ctx, store, src, o)
	if errors.Is(err, ErrDamaged) {
		report, err = c.sync(ctx, store, src, o) // dropped by now: from the start
	}
	if err != nil {
		return report, fmt.Errorf("sync %s: %w", store, err)
	}
	return report, nil
}

// A syncer is one sync of one store.
type syncer struct {
	c     *Catalog
	store string
	num   uint16
	src   Source
	o     Options

	state storeState
	order order
	text  []byte // builds.json, nil where it is the one that is known

	targets  []*target
	gone     []string        // ids of builds that are recorded and listed no more
	again    map[string]bool // builds that could not be read
	problems map[problem]bool
	report   Report
	unlisted atomic.Bool // the store can't list files
}

func (c *Catalog) sync(ctx context.Context, store string, src Source, o Options) (Report, error) {
	s := &syncer{c: c, store: store, src: src, o: o, again: map[string]bool{}, problems: map[problem]bool{}}
	if s.o.Parallel <= 0 {
		s.o.Parallel = defaultParallel
	}
	if s.o.Recheck == 0 {
		s.o.Recheck = defaultRecheck
	}
	for _, step := range []func(context.Context) error{s.load, s.list, s.look, s.finish} {
		if err := step(ctx); err != nil {
			return s.report, err
		}
	}
	return s.report, nil
}

// load reads what is known, and gives a new store its number.
func (s *syncer) load(context.Context) error {
	err := s.c.view(s.read)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.c.update(func(w *writer) error {
		used := make(map[uint64]bool)
		prefix := []byte{kindName}
		err := w.each(prefix, prefix, func(_, payload []byte) (bool, error) {
			d := decoder{rest: payload}
			used[d.uint()] = true
			return true, nil
		})
		num := uint64(0)
		for used[num] {
			num++
		}
		if num > math.MaxUint16 {
			return errors.New("too many stores for one index")
		}
		s.num = uint16(num)
		var e encoder
		e.uint(num)
		return errors.Join(err, w.put(nameKey(s.store), e.out))
	})
}

// read fills in number, state and order.
func (s *syncer) read(r reader) error {
	num, err := r.number(s.store)
	if err != nil {
		return err
	}
	s.num = num
	s.state, err = r.state(num)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // an earlier sync did not get through
	}
	if err == nil {
		s.order, err = r.order(num, s.state)
	}
	return err
}

// known is the version of builds.json that is worked in completely.
func (s *syncer) known() string {
	if !s.state.clean {
		return ""
	}
	return s.state.list.Version
}

// list asks for builds.json and says which builds are to be looked at.
func (s *syncer) list(ctx context.Context) error {
	data, f, err := s.src.List(ctx, s.known())
	if err != nil {
		return fmt.Errorf("builds.json: %w", err)
	}
	if data == nil && s.known() == "" {
		return fmt.Errorf("builds.json: the store gave nothing for a version that nobody named: %w", fs.ErrInvalid)
	}
	if data == nil {
		return s.planKnown()
	}
	list, err := index.ParseBuilds(data)
	if err != nil {
		return err
	}
	s.text, s.state.list = data, f
	for _, err := range list.Problems() {
		s.problems[problem{text: oneLine(err.Error())}] = true
	}
	return s.planList(list)
}

// finish makes the new list the one that is shown, and deletes what it lacks.
func (s *syncer) finish(ctx context.Context) error {
	s.state.synced = time.Now().UTC()
	s.state.clean = len(s.gone) == 0
	if err := s.publish(); err != nil {
		return err
	}
	for _, id := range s.gone {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := s.removeBuild(id); err != nil {
			return err
		}
		s.report.Removed++
	}
	if !s.state.clean {
		s.state.clean = true
		if err := s.update(func(w *writer) error { return w.put(storeKey(kindState, s.num), s.state.encode()) }); err != nil {
			return err
		}
	}
	s.report.Builds = len(s.order.ids)
	s.report.Unchanged = s.text == nil && s.report.Added+s.report.Changed+s.report.Removed == 0
	for _, p := range s.order.problems {
		s.report.Problems = append(s.report.Problems, errors.New(p.String()))
	}
	return s.c.flush()
}

// publish writes list, order and state. Texts that are new are written first,
// beside the old ones.
func (s *syncer) publish() error {
	before := s.order
	s.order.again, s.order.problems = s.unread(), s.troubles()
	same := s.text == nil && slices.Equal(before.again, s.order.again) && slices.Equal(before.problems, s.order.problems)
	if same {
		return s.update(func(w *writer) error { return w.put(storeKey(kindState, s.num), s.state.encode()) })
	}
	if s.text == nil {
		text, err := s.oldText()
		if err != nil {
			return err
		}
		s.text = text
		defer func() { s.text = nil }()
	}
	old := s.state.generation
	s.state.generation++
	for name, text := range map[byte][]byte{textList: s.text, textOrder: s.order.encode()} {
		key := textKey(s.num, s.state.generation, name)
		if err := s.c.deleteAll(key); err != nil { // of a sync that was killed
			return err
		}
		if err := s.c.putText(key, text); err != nil {
			return err
		}
	}
	if err := s.update(func(w *writer) error { return w.put(storeKey(kindState, s.num), s.state.encode()) }); err != nil {
		return err
	}
	return errors.Join(s.c.deleteAll(textKey(s.num, old, textList)), s.c.deleteAll(textKey(s.num, old, textOrder)))
}

// oldText gives builds.json as it is known.
func (s *syncer) oldText() (data []byte, err error) {
	err = s.c.view(func(r reader) error {
		data, err = r.text(textKey(s.num, s.state.generation, textList))
		return err
	})
	return data, err
}

// update writes for the store, if the index was not dropped meanwhile.
func (s *syncer) update(fn func(*writer) error) error {
	return s.c.update(func(w *writer) error {
		num, err := w.number(s.store)
		if errors.Is(err, fs.ErrNotExist) || err == nil && num != s.num {
			return errRestart
		}
		if err != nil {
			return err
		}
		return fn(w)
	})
}

// errRestart says that another caller found the index damaged and dropped it.
var errRestart = errors.New("the index was dropped meanwhile; sync again")
