package workdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"cosafs/backend"
	"cosafs/backend/dirstore"
	"cosafs/index"
	"cosafs/materialize"
)

// Add implements [materialize.Records]. The journal makes the three steps one:
// after a crash between them, [records.recover] does the rest. A list that can't
// be changed undoes the first one.
func (r *records) Add(ctx context.Context, n materialize.NewBuild) error {
	meta, err := newMeta(n)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(n.Staging, "meta.json"), meta.Bytes(), 0o644); err != nil {
		return err
	}
	begun, err := r.journal.begin(note{ID: n.ID, Arch: n.Arch})
	if err != nil {
		return err
	}
	if err := r.publish(ctx, n); err != nil {
		return errors.Join(err, begun.strike())
	}
	defer r.onChange()
	if err := r.pointLatest(ctx); err != nil {
		return errors.Join(err, begun.leave())
	}
	return begun.strike()
}

func (r *records) publish(ctx context.Context, n materialize.NewBuild) error {
	if err := r.builds.Publish(ctx, n.Staging, backend.Key(n.ID+"/"+n.Arch)); err != nil {
		return err
	}
	err := r.insert(ctx, n.ID, n.Arch)
	if err == nil {
		return nil
	}
	if undo := os.Rename(r.path(n.ID+"/"+n.Arch), n.Staging); undo != nil {
		return errors.Join(err, undo)
	}
	_ = os.Remove(r.path(n.ID)) // it has other architectures, or is empty
	return err
}

// insert puts a build into builds.json, if it isn't there.
func (r *records) insert(ctx context.Context, id, arch string) error {
	return r.update(ctx, func(list *index.Builds) error {
		if slices.Contains(list.Arches(index.BuildID(id)), index.Arch(arch)) {
			return nil
		}
		list.Bump(r.now())
		return list.Insert(index.BuildID(id), index.Arch(arch))
	})
}

// enlist puts a published build into builds.json and points latest at the
// newest.
func (r *records) enlist(ctx context.Context, id, arch string) error {
	if err := r.insert(ctx, id, arch); err != nil {
		return err
	}
	return r.pointLatest(ctx)
}

// pointLatest makes latest name the first build of builds.json that is here;
// cosa's readers disagree on which of the two they ask. The list is
// locked, or the link of a faster process could be put back.
func (r *records) pointLatest(ctx context.Context) error {
	unlock, err := r.builds.Lock(ctx, listFile)
	if err != nil {
		return explainChange(err)
	}
	list, err := r.list(ctx)
	if err == nil {
		err = r.link(ctx, r.newest(list))
	}
	return errors.Join(err, unlock())
}

func (r *records) link(ctx context.Context, id string) error {
	if id == "" {
		return removeIfThere(r.path("latest"))
	}
	return r.builds.SetLatest(ctx, id)
}

// update changes builds.json under its lock. An error of change is returned as
// it is: it has nothing to do with the file.
func (r *records) update(ctx context.Context, change func(*index.Builds) error) error {
	var refused error
	err := explainChange(r.builds.UpdateJSON(ctx, listFile, func(old []byte) ([]byte, error) {
		list := index.NewBuilds()
		if len(old) > 0 {
			var err error
			if list, err = index.ParseBuilds(old); err != nil {
				return nil, err
			}
		}
		if refused = change(list); refused != nil {
			return nil, refused
		}
		return list.Bytes(), nil
	}))
	if refused != nil {
		return refused
	}
	return err
}

// explainChange tells what to do about a full disk, or a lock of somebody else.
// They are of classes that are soon tried again.
func explainChange(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return materialize.Fail(materialize.ClassSpace, "change the build directory", "cosafs prune -n 1 deletes all builds but the newest", err)
	}
	var locked *dirstore.LockedError
	if !errors.As(err, &locked) {
		return err
	}
	return materialize.Fail(materialize.ClassTool, "change "+filepath.Base(locked.Target),
		"wait for its holder to end; if it has ended, remove "+locked.File, err)
}

// AddArtifact implements [materialize.Records]: the file first, then meta.json.
func (r *records) AddArtifact(ctx context.Context, id, arch string, a materialize.Artifact, file string) error {
	dir := r.dirOf(ctx, id, arch)
	meta, err := r.meta(ctx, r.path(dir))
	if err != nil {
		return err
	}
	if err := recordable(meta, a); err != nil {
		return err
	}
	begun, err := r.journal.begin(note{ID: id, Arch: arch, File: a.File})
	if err != nil {
		return err
	}
	key := backend.Key(filepath.ToSlash(dir))
	if err := r.builds.AddFile(ctx, file, key+backend.Key("/"+a.File)); err != nil {
		return errors.Join(err, begun.strike())
	}
	defer r.onChange()
	if _, recorded := meta.Image(index.Kind(a.Kind)); recorded {
		return begun.strike() // its bytes are back
	}
	if err := r.recordImage(ctx, key+"/meta.json", a); err != nil {
		return errors.Join(err, r.complete(ctx, note{ID: id, Arch: arch, File: a.File}), begun.strike())
	}
	return begun.strike()
}

// recordImage merges the entry into meta.json as it is by now: other steps may
// have written since, and what they wrote stays.
func (r *records) recordImage(ctx context.Context, file backend.Key, a materialize.Artifact) error {
	return explainChange(r.builds.UpdateJSON(ctx, file, func(old []byte) ([]byte, error) {
		m, err := index.ParseMeta(old)
		if err != nil {
			return nil, err
		}
		if err := recordable(m, a); err != nil {
			return nil, err
		}
		if err := m.SetImage(index.Kind(a.Kind), imageOf(a)); err != nil {
			return nil, err
		}
		m.SetStamp(r.now().UnixNano())
		return m.Bytes(), m.Validate()
	}))
}

// recordable refuses a kind that is recorded with other bytes.
func recordable(m *index.Meta, a materialize.Artifact) error {
	if im, ok := m.Image(index.Kind(a.Kind)); ok && im.SHA256 != a.SHA256 {
		return fmt.Errorf("%s is recorded already, with other bytes: %w", a.Kind, fs.ErrExist)
	}
	return nil
}

// namesFile says whether a meta.json records a file of the name.
func namesFile(m *index.Meta, name string) bool {
	return slices.ContainsFunc(m.Images(), func(im index.Image) bool { return im.Path == name })
}
