package materialize

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// An OsmetRequest says of which disk an osmet file is made: all that the disk's image has
// beside the files of its commit. A live system that has both writes the disk without a
// network.
type OsmetRequest struct {
	Disk      string    // path of the raw image
	Sector    int       // its logical sector size in bytes
	SHA256    string    // hex, of all of it
	ImageJSON []byte    // as in [DiskRequest]
	Time      time.Time // as in [ImageRequest]
	// Out is where the file is written; it must not exist.
	Out string
}

// Installer is the program of a system that makes osmet files, and in the live system uses
// them.
const Installer = "/usr/bin/coreos-installer"

// installable lists the kinds of disks that the build's live system can write without a
// network: as in cosa those of bare metal where the commit has coreos-installer. Of a
// commit that isn't in the repository nothing is known, and nothing remembered.
func (m *Maker) installable(ctx context.Context, commit string) ([]string, error) {
	if known, ok := m.installs.Load(commit); ok {
		return known.([]string), nil //nolint:errcheck // nothing else is stored
	}
	if !m.Commits.Has(ctx, commit) {
		return nil, nil
	}
	var kinds []string
	_, err := m.Commits.Cat(ctx, commit, Installer)
	if ifPresent(err) != nil {
		return nil, err
	}
	if err == nil {
		kinds = []string{"metal", "metal4k"}
	}
	m.installs.Store(commit, kinds)
	return kinds, nil
}

// canInstall says whether the live system can be made again as it was: what it installs
// must be the disks that it was made with.
func (m *Maker) canInstall(ctx context.Context, b Build) bool {
	kinds, err := m.installable(ctx, b.Commit)
	for _, kind := range kinds {
		req, rerr := m.requestOf(ctx, b, kind)
		if rerr != nil || !m.cached(req) {
			return false
		}
	}
	return err == nil
}

// osmets gives the osmet files of what the build's live system installs, by their names
// there, and makes those that aren't kept. They stay until release.
func (m *Maker) osmets(ctx context.Context, b Build, t Target, task *Task) (files map[string]string, release func(), err error) {
	kinds, err := m.installable(ctx, b.Commit)
	files = map[string]string{}
	var held []func()
	release = func() {
		for _, r := range held {
			r()
		}
	}
	for i, kind := range kinds {
		n := float64(len(kinds))
		path, drop, err := m.osmet(ctx, b, kind, t, task.Part(float64(i)/n, float64(i+1)/n))
		if err != nil {
			release()
			return nil, nil, err
		}
		held = append(held, drop)
		files[m.Records.FileName(kind, b.Name, b.ID, b.Arch)+".osmet"] = path
	}
	return files, release, err
}

// osmet gives that of the kind's disk, which lies beside the base disk and lives as long.
func (m *Maker) osmet(ctx context.Context, b Build, kind string, t Target, task *Task) (string, func(), error) {
	req, err := m.requestOf(ctx, b, kind)
	if err != nil {
		return "", nil, err
	}
	base, release, err := m.baseDisk(ctx, req, t, task.Part(0, 0.5))
	if err != nil {
		return "", nil, err
	}
	w := m.osmetWork(m.imageRequest(b, kind, req, base), req, t)
	r, err := m.Runner.Do(followAs(ctx, w.Title, task.Part(0.5, 1)), w, m.Linger)
	if err != nil {
		release()
		return "", nil, err
	}
	return r.Path, release, nil
}

func (m *Maker) osmetWork(image ImageRequest, disk DiskRequest, t Target) Work {
	out := filepath.Join(filepath.Dir(image.Base.Path), image.Kind+".osmet")
	return Work{
		Key: hashKey("osmet", m.baseKey(disk), image.Kind), Target: t, Title: "osmet " + image.Kind, VM: true, Space: 2 * diskSpace,
		Done: func(context.Context) (Result, bool, error) {
			st, err := os.Stat(out)
			if err != nil {
				return Result{}, false, ifPresent(err)
			}
			return Result{Build: disk.Build, Path: out, Size: st.Size()}, true, nil
		},
		Run: func(ctx context.Context, task *Task) (Result, error) { return m.runOsmet(ctx, image, disk, out, task) },
	}
}

// runOsmet writes the disk's image, which the base disk need not be, and packs it.
func (m *Maker) runOsmet(ctx context.Context, image ImageRequest, disk DiskRequest, out string, task *Task) (Result, error) {
	raw := filepath.Join(task.Scratch, image.File)
	if err := m.Disks.Make(ctx, image, raw, task.Part(0, 0.1)); err != nil {
		return Result{}, err
	}
	sum, _, err := hashFile(ctx, raw)
	if err != nil {
		return Result{}, err
	}
	req := OsmetRequest{Disk: raw, Sector: disk.Sector, SHA256: sum, ImageJSON: disk.ImageJSON, Time: image.Time, Out: raw + ".osmet"}
	if err := m.Live.PackOsmet(ctx, req, task.Part(0.1, 1)); err != nil {
		return Result{}, err
	}
	if err := keepFile(req.Out, out); err != nil {
		return Result{}, fmt.Errorf("keep osmet file: %w", err)
	}
	st, err := os.Stat(out)
	if err != nil {
		return Result{}, err
	}
	return Result{Build: disk.Build, Path: out, Size: st.Size()}, nil
}

// keepFile moves a finished file into the cache.
func keepFile(from, to string) error {
	if err := syncFile(from); err != nil {
		return err
	}
	return os.Rename(from, to)
}
