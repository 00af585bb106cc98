package materialize

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
)

// Open makes the target's bytes readable. Those of a view are computed from its
// base disk, which is written if need be, those of a recorded commit whose file is gone
// from the repository; nothing is stored or recorded, and the caller closes the view.
// Any other target is made as by [Maker.Make], and the view is nil.
func (m *Maker) Open(ctx context.Context, t Target) (Result, View, error) {
	t, made, err := m.inBuild(ctx, t)
	if err != nil {
		return Result{}, nil, err
	}
	r, v, err := m.open(ctx, t)
	r.New = made
	return r, v, err
}

func (m *Maker) open(ctx context.Context, t Target) (Result, View, error) {
	b, err := m.Records.Build(ctx, t.Build, t.Arch)
	if err != nil {
		return Result{}, nil, err
	}
	if a, ok := b.Artifacts[KindOSTree]; ok && t.Kind == KindOSTree && m.Again(ctx, b, a) {
		v, err := m.openCommit(ctx, b, t)
		return Result{Build: b.ID, Size: a.Size}, v, err
	}
	if !m.isView(b, t.Kind) {
		r, err := m.makeTarget(ctx, t)
		return r, nil, err
	}
	v, err := m.openView(ctx, b, t)
	if err != nil {
		return Result{}, nil, err
	}
	return Result{Build: b.ID, Size: v.Size()}, v, nil
}

// isView says whether an open of the kind computes it: what is recorded is a file.
func (m *Maker) isView(b Build, kind string) bool {
	_, recorded := b.Artifacts[kind]
	return !recorded && slices.Contains(m.Disks.Views(), kind)
}

// openView gives the view over the build's base disk, which it holds. The first open
// has the view's sha256 computed in the background.
func (m *Maker) openView(ctx context.Context, b Build, t Target) (View, error) {
	if err := m.makeable(t); err != nil {
		return nil, err
	}
	for {
		req, err := m.requestOf(ctx, b, t.Kind) // a commit that was imported just now may tell another
		if err != nil {
			return nil, err
		}
		v, err := m.viewOf(b, req, t.Kind)
		if err == nil {
			m.startSum(ctx, b, req, t.Kind, v.Size())
		}
		if !isAbsent(err) {
			return v, err
		}
		if _, err := m.Runner.Do(ctx, m.viewWork(b, t, req), m.Linger); err != nil {
			return nil, err
		}
	}
}

// viewOf gives the view over a cached base disk; fs.ErrNotExist if there is none.
func (m *Maker) viewOf(b Build, req DiskRequest, kind string) (View, error) {
	base, release, err := m.holdBase(m.baseKey(req))
	if err != nil {
		return nil, err
	}
	v, err := m.Disks.View(m.imageRequest(b, kind, req, base))
	if err != nil {
		release()
		return nil, err
	}
	return heldView{v, release}, nil
}

// heldView is a view whose base disk stays in the cache until it is closed.
type heldView struct {
	View
	release func()
}

// Close implements [View].
func (v heldView) Close() error {
	defer v.release()
	return v.View.Close()
}

// viewWork has the base disk written for a view, and the commit brought for that.
func (m *Maker) viewWork(b Build, t Target, req DiskRequest) Work {
	return Work{
		Key: m.viewKey(req), Target: t, Title: t.Kind, Space: diskSpace,
		Done: func(context.Context) (Result, bool, error) {
			base, release, err := m.holdBase(m.baseKey(req))
			if err != nil {
				return Result{}, false, ifPresent(err)
			}
			release()
			return Result{Build: b.ID, Path: base.Path, Size: base.Size}, true, nil
		},
		Run: func(ctx context.Context, task *Task) (Result, error) {
			if err := m.haveCommit(ctx, b, task.Part(0, 0.1)); err != nil {
				return Result{}, err
			}
			req, err := m.requestOf(ctx, b, t.Kind)
			if err != nil {
				return Result{}, err
			}
			base, release, err := m.baseDisk(ctx, req, t, task.Part(0.1, 1))
			if err != nil {
				return Result{}, err
			}
			release()
			return Result{Build: b.ID, Path: base.Path, Size: base.Size}, nil
		},
	}
}

// viewKey is the same for all views of a disk: one job makes them possible.
func (m *Maker) viewKey(req DiskRequest) string { return hashKey("view", m.baseKey(req)) }

// A ViewStat is what stat tells of a view.
type ViewStat struct {
	Size   int64  // bytes
	Blocks int64  // units of 512 bytes
	SHA256 string // hex; "" until it is known, which takes an open and a while
	// Stamp is another one when the disk was written anew, with other bytes perhaps; ""
	// where it is gone.
	Stamp string
}

// StatView looks at a view whose base disk is cached. It reads the disk's outline and
// the record of the view's sha256 at most.
func (m *Maker) StatView(ctx context.Context, b Build, kind string) (ViewStat, bool) {
	if !m.isView(b, kind) {
		return ViewStat{}, false
	}
	req, err := m.requestOf(ctx, b, kind)
	if err != nil {
		return ViewStat{}, false
	}
	st, err := m.outline(b, req, kind)
	if err != nil {
		return ViewStat{}, false
	}
	base := m.baseKey(req)
	if s := m.readSum(base, kind); s.Size == st.Size {
		st.SHA256 = s.SHA256
	}
	if written := modTime(filepath.Join(m.baseDir(base), baseFile)); !written.IsZero() {
		st.Stamp = strconv.FormatInt(written.UnixNano(), 36)
	}
	return st, true
}

// outline gives size and blocks, which it remembers, also for when the disk is gone.
func (m *Maker) outline(b Build, req DiskRequest, kind string) (ViewStat, error) {
	key := hashKey(m.baseKey(req), kind)
	if st, ok := m.stats.Load(key); ok {
		return st.(ViewStat), nil //nolint:errcheck // nothing else is stored
	}
	v, err := m.viewOf(b, req, kind)
	if err != nil {
		return ViewStat{}, err
	}
	defer func() { _ = v.Close() }() // read only
	st := ViewStat{Size: v.Size(), Blocks: v.Blocks()}
	m.stats.Store(key, st)
	return st, nil
}
