// Package reload keeps what was read from files as new as the files are, for a
// server that goes on when an administrator changes them. Nothing runs beside
// the requests: they look, once a second at most.
package reload

import (
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Interval is how often the files are looked at, at most.
const Interval = time.Second

// Config says what to read.
type Config struct {
	Paths  []string         // the files, absolute
	Logger *slog.Logger     // nil discards
	Now    func() time.Time // nil = time.Now
}

// A Value is what was last read well. It is safe for concurrent use.
type Value[T any] struct {
	cfg     Config
	read    func() (T, error)
	opened  time.Time
	looked  atomic.Int64 // nanoseconds from opened to the last look
	current atomic.Pointer[state[T]]
}

// A state is a value and the marks of the files it stands for. Both change
// together, so a slow reader that comes last is found out by its old marks.
type state[T any] struct {
	value T
	marks []mark
}

// Open reads the files for the first time. read may be called by several
// goroutines; its error is Open's, and must not quote secrets: later ones are
// logged.
func Open[T any](cfg Config, read func() (T, error)) (*Value[T], error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	v := &Value[T]{cfg: cfg, read: read, opened: cfg.Now()}
	// Marks first: a change during the reading differs from them.
	marks := marksOf(cfg.Paths)
	value, err := read()
	if err != nil {
		return nil, err
	}
	v.current.Store(&state[T]{value, marks})
	return v, nil
}

// Get gives the newest value, and reads the files if they changed. Files that
// can't be read, or are wrong, change nothing: that is logged once, and they
// are read again when they change again. One caller looks while the others go
// on with what is there.
func (v *Value[T]) Get() T {
	if v.due() {
		v.look()
	}
	return v.current.Load().value
}

// due says whether it is this caller's turn to look.
func (v *Value[T]) due() bool {
	now, last := int64(v.cfg.Now().Sub(v.opened)), v.looked.Load()
	return now-last >= int64(Interval) && v.looked.CompareAndSwap(last, now)
}

// look reads what changed.
func (v *Value[T]) look() {
	old, marks := v.current.Load(), marksOf(v.cfg.Paths)
	if slices.Equal(marks, old.marks) {
		return
	}
	log := v.cfg.Logger.With("path", strings.Join(v.cfg.Paths, ", "))
	value, err := v.read()
	if err != nil {
		log.Error("a changed file can't be used; going on with what was read before", "err", err)
		value = old.value
	} else {
		log.Info("read again, as it changed")
	}
	v.current.Store(&state[T]{value, marks})
}
