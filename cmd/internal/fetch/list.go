package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"cosafs/backend"
	"cosafs/backend/dirstore"
	"cosafs/index"
	"cosafs/materialize"
)

// listFile is the list of builds, here and in a store.
const listFile backend.Key = "builds.json"

// cosa's memory, in the working directory's tmp/, of the list that was fetched
// or sent last: its bytes, and its store's URL with a newline.
const (
	sourceList = "builds-source.json"
	sourceURL  = "builds-source.txt"
)

// remoteList reads the store's list. The form from before 2019 can't be merged
// with a list of today, and cosa refuses it too.
func (f *fetcher) remoteList(ctx context.Context) (*index.Builds, error) {
	data, err := f.document(ctx, listFile)
	if err != nil {
		return nil, explain(listFile, err)
	}
	list, err := index.ParseBuilds(data)
	if err == nil && list.Legacy() {
		err = fmt.Errorf("it is from before 2019: %w", errors.ErrUnsupported)
	}
	if err != nil {
		return nil, materialize.Fail(materialize.ClassConfig, "read builds.json of "+f.URL,
			"check that this is the directory that holds builds.json; cosafs verify tells what is wrong with it", err)
	}
	return list, nil
}

// mayReplaceList says early what installList would refuse.
func (f *fetcher) mayReplaceList(ctx context.Context, remote *index.Builds) error {
	var old []byte
	err := f.builds.ReadJSON(ctx, listFile, func(b []byte) error {
		old = b
		_, err := index.ParseBuilds(b)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return brokenList(err)
	}
	if err := f.finishList(old); err != nil {
		return err
	}
	_, err = f.nextList(old, remote)
	return err
}

// finishList does the rest of an installList that was cut off after builds.json.
func (f *fetcher) finishList(local []byte) error {
	noted, err := os.ReadFile(f.noted())
	if err != nil || !bytes.Equal(noted, local) {
		return nil // nothing was cut off, or it was before
	}
	return f.remember(noted)
}

func brokenList(err error) error {
	return materialize.Fail(materialize.ClassConfig, "read builds.json",
		"restore it from a backup, or move it away: the store's list takes its place then", err)
}

// installList makes the store's list the list here, and gives what is listed now.
//
// The store's bytes are noted before: a process that is killed between
// builds.json and cosa's copy of it would leave two that differ, and the next
// fetch would take that for a change of somebody's.
func (f *fetcher) installList(ctx context.Context, remote *index.Builds) (*index.Builds, error) {
	if err := f.spool.replace(f.noted(), remote.Bytes()); err != nil {
		return nil, err
	}
	var list *index.Builds
	var refused error
	err := f.builds.UpdateJSON(ctx, listFile, func(old []byte) ([]byte, error) {
		if list, refused = f.nextList(old, remote); refused != nil {
			return nil, refused
		}
		return list.Bytes(), nil
	})
	if refused != nil {
		return nil, refused
	}
	if err != nil {
		return nil, locked(err)
	}
	return list, f.remember(remote.Bytes())
}

// remember writes cosa's copy of a list that was installed.
func (f *fetcher) remember(list []byte) error {
	tmp := filepath.Join(f.Workdir, "tmp")
	err := errors.Join(f.spool.replace(filepath.Join(tmp, sourceList), list),
		f.spool.replace(filepath.Join(tmp, sourceURL), []byte(f.URL+"\n")))
	if err != nil {
		return err
	}
	return os.Remove(f.noted())
}

// noted is our own memory of the list that is about to be installed.
func (f *fetcher) noted() string { return f.spool.path(listFile.Base()) }

// nextList gives the list to have here; old is what there is, nil for nothing.
func (f *fetcher) nextList(old []byte, remote *index.Builds) (*index.Builds, error) {
	if len(old) == 0 {
		return remote, nil
	}
	local, err := index.ParseBuilds(old)
	if err != nil {
		return nil, brokenList(err)
	}
	extra := extras(local, remote)
	fetched, known := f.unchanged(old, remote)
	switch {
	case fetched, !known && len(extra) == 0:
		f.noteDropped(extra)
		return remote, nil
	case f.Force && len(extra) == 0:
		return remote, nil
	case f.Force:
		f.note("builds.json keeps what %s does not list: %s", f.URL, enumerate(extra))
		return index.MergeLists(remote, local), nil
	}
	why := materialize.Says(fs.ErrExist, "it was changed here since it was fetched")
	if len(extra) > 0 {
		why = materialize.Says(fs.ErrExist, "it lists here what %s does not: %s", f.URL, enumerate(extra))
	}
	return nil, materialize.Fail(materialize.ClassConfig, "replace builds.json",
		"--force takes the store's list and keeps in it what only this one has; or send it first: cosafs upload", why)
}

// unchanged says whether a list is as it was fetched, and whether that can be
// known: without cosa's copy nothing was ever fetched here.
func (f *fetcher) unchanged(list []byte, remote *index.Builds) (yes, known bool) {
	copied, err := os.ReadFile(filepath.Join(f.Workdir, "tmp", sourceList))
	known = err == nil
	return bytes.Equal(list, remote.Bytes()) || known && bytes.Equal(list, copied), known
}

// pointLatest makes latest the build that was fetched, if that is the newest, or
// was asked for by no name. A list that kept builds of its own has, as ever, its
// first one that is here for latest.
func (f *fetcher) pointLatest(ctx context.Context, list *index.Builds, id index.BuildID) error {
	first := list.Latest()
	switch named := f.Build != "" && f.Build != "latest"; {
	case named && first != id:
		return nil
	case !f.FindBuildForArch && isDir(f.path(backend.Key(first))):
		id = first
	}
	return f.builds.SetLatest(ctx, string(id))
}

// locked says what to do about a lock of somebody else's.
func locked(err error) error {
	var l *dirstore.LockedError
	if !errors.As(err, &l) {
		return err
	}
	return materialize.Fail(materialize.ClassTool, "change "+filepath.Base(l.Target),
		"wait for its holder to end; if it has ended, remove "+l.File, err)
}

// path gives the path of a file in builds/.
func (f *fetcher) path(key backend.Key) string {
	return filepath.Join(f.Workdir, "builds", filepath.FromSlash(string(key)))
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}
