package materialize

import (
	"context"
	"errors"
	"fmt"
)

// openCommit gives the recorded artifact of a commit whose file is gone, computed of
// the repository's objects. All of it is read first, once in the life of the process:
// what isn't the recorded artifact is a Failure, and nobody sees a byte of it.
func (m *Maker) openCommit(ctx context.Context, b Build, t Target) (View, error) {
	a := b.Artifacts[KindOSTree]
	v, err := m.Commits.ExportView(ctx, b.Commit, exportRefs(b))
	if isAbsent(err) {
		return nil, lostFailure(t, a) // it was pruned a moment ago
	}
	if err != nil {
		return nil, unreadableFailure(t, err)
	}
	if err := m.checkCommit(ctx, b, t, v); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// A commitCheck is of one artifact; whoever holds the turn looks and changes it.
type commitCheck struct {
	turn chan struct{}
	good bool
}

// checkCommit reads the view unless somebody did; one reads, others wait for it.
func (m *Maker) checkCommit(ctx context.Context, b Build, t Target, v View) error {
	key := hashKey(append(exportRefs(b), b.Commit, b.Artifacts[KindOSTree].SHA256)...)
	stored, _ := m.checks.LoadOrStore(key, &commitCheck{turn: make(chan struct{}, 1)})
	c := stored.(*commitCheck) //nolint:errcheck // nothing else is stored
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-c.turn }()
	if c.good {
		return nil
	}
	got, err := hashView(ctx, v)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return unreadableFailure(t, err)
	}
	err = checkAgain(b, t, got.SHA256)
	c.good = err == nil
	return err
}

// unreadableFailure says that a commit's objects are damaged.
func unreadableFailure(t Target, err error) error {
	return Fail(ClassConfig, "open "+t.String(), "bring the recorded file back, or "+another(t),
		fmt.Errorf("the repository's objects can't be read: %w", err))
}
