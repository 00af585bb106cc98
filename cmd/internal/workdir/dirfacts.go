package workdir

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"cosafs/index"
	"cosafs/materialize"
	"cosafs/vfs"
)

// stamp is what shows that a file or directory changed.
type stamp struct {
	mtime time.Time
	size  int64
}

func stampOf(path string) stamp {
	st, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{st.ModTime(), st.Size()}
}

// dirFacts is what a directory held when it looked so.
type dirFacts struct {
	dir, meta stamp
	settled   bool // nothing in it was changed so lately that the times could miss another change
	files     []vfs.Entry
	version   uint64 // of files: another one for other files
	time      time.Time
	problem   string
}

// settling is for how long after a change a directory is looked into again: a
// file that is being copied grows without a trace in its directory's times.
const settling = 2 * time.Second

// facts gives what a directory holds, from memory where nothing changed. With
// arch "" it is the one that holds the architectures.
func (t *tree) facts(ctx context.Context, dir, id, arch string, dirty *bool) (dirFacts, bool) {
	path := t.records.path(dir)
	now := dirFacts{dir: stampOf(path), meta: stampOf(filepath.Join(path, "meta.json"))}
	if now.dir == (stamp{}) {
		return now, false
	}
	old, known := t.dirs[dir]
	if known && old.settled && old.dir == now.dir && old.meta == now.meta {
		return old, true
	}
	now.files = plainFiles(path, id, arch)
	now.settled = isSettled(now, time.Now())
	if arch != "" {
		t.describe(ctx, path, &now)
	}
	now.version = old.version
	if !known || !slices.Equal(old.files, now.files) {
		t.versions++
		now.version, *dirty = t.versions, true
	}
	*dirty = *dirty || old.problem != now.problem || !old.time.Equal(now.time)
	return now, true
}

// isSettled says whether nothing in the directory changed within the last moments.
func isSettled(d dirFacts, now time.Time) bool {
	lately := func(t time.Time) bool { return now.Sub(t) < settling }
	return !lately(d.dir.mtime) && !lately(d.meta.mtime) &&
		!slices.ContainsFunc(d.files, func(f vfs.Entry) bool { return lately(f.ModTime) })
}

// describe adds what meta.json says.
func (t *tree) describe(ctx context.Context, path string, d *dirFacts) {
	meta, err := t.records.meta(ctx, path)
	if err != nil {
		d.problem = err.Error()
		return
	}
	d.time = meta.BuildTime()
	t.describeImages(d.files, meta, d.time)
}

// plainFiles lists a directory's files as the tree shows them: no dot files,
// which are locks and files not yet finished, and no links.
func plainFiles(dir, id, arch string) []vfs.Entry {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var files []vfs.Entry
	for _, e := range entries {
		st, err := e.Info()
		if err != nil || !st.Mode().IsRegular() || !index.ValidName(e.Name()) || index.Transient(e.Name()) {
			continue
		}
		files = append(files, vfs.Entry{
			Build: id, Arch: arch, Name: e.Name(), Size: st.Size(), Blocks: blocksOf(st), ModTime: st.ModTime(), State: materialize.StateLocal, Source: sourceWorkdir,
		})
	}
	return files
}

// describeImages adds to the files what meta.json says of them.
func (t *tree) describeImages(files []vfs.Entry, meta *index.Meta, when time.Time) {
	for _, im := range meta.Images() {
		name, err := im.File()
		if err != nil {
			continue
		}
		i := slices.IndexFunc(files, func(f vfs.Entry) bool { return f.Name == name })
		if i < 0 {
			continue
		}
		f := &files[i]
		f.Kind, f.SHA256, f.ModTime = string(im.Kind), im.SHA256, when
		f.Version = t.contents.of(f.Build, f.Arch, artifactOf(im))
		if why := wrongSize(f.Size, im.Size); why != "" {
			f.Size, f.State, f.Reason, f.Source = im.Size, materialize.StateFailed, name+" "+why, ""
		}
	}
}

// blocksOf is st_blocks: what a file takes, in units of 512 bytes.
func blocksOf(st fs.FileInfo) int64 {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return sys.Blocks
	}
	return 0
}
