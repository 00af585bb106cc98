package upload

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"cosafs/backend"
	"cosafs/backend/dirstore"
	"cosafs/index"
	"cosafs/materialize"
)

// local is what a workdir has of one build.
type local struct {
	builds *dirstore.Builds
	dir    string // <workdir>/builds
	list   *index.Builds
	bytes  []byte // of the list, as it was read
	id     index.BuildID
	arches []*archDir
	notes  []string
}

// An archDir is a build's directory for one architecture.
type archDir struct {
	arch index.Arch
	key  backend.Key
	meta *index.Meta
	// verdicts tell by path what becomes of the images in the store's meta.json;
	// the plan fills it.
	verdicts map[string]verdict
}

// readLocal reads the documents of the build that is to be uploaded.
func readLocal(ctx context.Context, o Options) (*local, error) {
	l := &local{dir: filepath.Join(o.Workdir, "builds")}
	store, err := dirstore.Open(dirstore.Config{Dir: l.dir})
	if err != nil {
		return nil, materialize.Fail(materialize.ClassConfig, "upload", "name a build directory: --workdir DIR", err)
	}
	defer func() { _ = store.Close() }() // read only
	l.builds = store.Builds()
	if err := l.readList(ctx); err != nil {
		return nil, err
	}
	if l.id = index.BuildID(o.Build); l.id == "" {
		l.id = l.list.Latest()
	}
	if !l.list.Has(l.id) {
		return nil, missing("find build "+string(l.id), "see the builds with: cosafs list", "builds.json does not list it")
	}
	return l, l.readArches(ctx, o.Arches)
}

func (l *local) readList(ctx context.Context) error {
	err := l.builds.ReadJSON(ctx, listFile, func(data []byte) (err error) {
		l.bytes = data
		l.list, err = index.ParseBuilds(data)
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing("upload", "make one with: cosafs build", "there is no build in %s", l.dir)
	case err != nil:
		return materialize.Fail(materialize.ClassConfig, "upload", "restore builds.json from a backup", err)
	case l.list.Legacy():
		return legacyList("upload", "build it again with a newer coreos-assembler, or with cosafs")
	case l.list.Latest() == "":
		return missing("upload", "make one with: cosafs build", "there is no build in %s", l.dir)
	}
	return nil
}

// legacyList refuses the lists of before 2019-07.
func legacyList(op, hint string) error {
	return materialize.Fail(materialize.ClassConfig, op, hint,
		materialize.Says(errors.ErrUnsupported, "builds.json is of a coreos-assembler from before July 2019, whose builds have no architectures"))
}

// readArches reads the architectures that were asked for. Without asking, those
// that other machines have are left out, as in cosa.
func (l *local) readArches(ctx context.Context, asked []string) error {
	listed := l.list.Arches(l.id)
	want := listed
	if asked != nil {
		want = nil
		for _, a := range asked {
			want = append(want, index.Arch(a))
		}
	}
	for _, arch := range want {
		if !slices.Contains(listed, arch) {
			return missing("find "+string(l.id)+"/"+string(arch), "see the builds with: cosafs list", "builds.json does not list it")
		}
		a, err := l.readArch(ctx, arch)
		switch {
		case err == nil:
			l.arches = append(l.arches, a)
		case errors.Is(err, fs.ErrNotExist) && asked == nil:
			l.notes = append(l.notes, fmt.Sprintf("%s is not uploaded for %s: there is no meta.json here", l.id, arch))
		default:
			return err
		}
	}
	if len(l.arches) == 0 {
		return missing("upload "+string(l.id), "upload it where it was built", "no architecture of it is here")
	}
	return nil
}

func (l *local) readArch(ctx context.Context, arch index.Arch) (*archDir, error) {
	a := &archDir{arch: arch, key: backend.Key(index.Dir(l.list, l.id, arch)), verdicts: map[string]verdict{}}
	err := l.builds.ReadJSON(ctx, a.key.Join(metaFile), func(data []byte) (err error) {
		a.meta, err = index.ParseMeta(data)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", a.key.Join(metaFile), err)
	}
	for _, im := range a.meta.Images() {
		if _, err := im.File(); err != nil {
			return nil, err
		}
		if _, err := digestOf(im); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// digestOf gives the digest that meta.json has of an image.
func digestOf(im index.Image) (sum digest, err error) {
	raw, err := hex.DecodeString(im.SHA256)
	if err != nil || len(raw) != len(sum) {
		return sum, fmt.Errorf("image %s: %q is no sha256: %w", im.Kind, im.SHA256, fs.ErrInvalid)
	}
	return digest(raw), nil
}

// leftover matches what is no part of a build: files that cosa writes JSON to
// before it renames them.
var leftover = regexp.MustCompile(`^tmp[a-z0-9_]{8}$`)

// files gives the regular files of a directory of builds/ that are worth
// sending. Hidden ones are locks and unfinished files.
func (l *local) files(dir backend.Key) ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(l.path(dir))
	if err != nil {
		return nil, err
	}
	var files []fs.FileInfo
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || leftover.MatchString(e.Name()) || !index.ValidName(e.Name()) {
			continue
		}
		info, err := os.Stat(l.path(dir.Join(e.Name())))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // gone since
		case err != nil:
			return nil, err
		case info.Mode().IsRegular():
			files = append(files, info)
		}
	}
	return files, nil
}

func (l *local) path(key backend.Key) string {
	return filepath.Join(l.dir, filepath.FromSlash(string(key)))
}
