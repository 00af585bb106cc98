package disk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"cosafs/materialize"
	"cosafs/materialize/appliance"
	"cosafs/materialize/disk/install"
	"cosafs/materialize/disk/offline"
	"cosafs/materialize/guest"
)

// Write implements [materialize.DiskWriter]. It reads the repository, and
// writes to the task's scratch and req.Out only.
func (w *Writer) Write(ctx context.Context, req materialize.DiskRequest, t *materialize.Task) (materialize.BaseDisk, error) {
	base, err := w.write(ctx, req, t)
	if err == nil {
		base.Data, err = dataOf(ctx, base.Path)
	}
	if err != nil {
		// Nobody else could have made it: it did not exist.
		if !errors.Is(err, os.ErrExist) {
			_ = os.Remove(req.Out) // half written, or not there
		}
		return materialize.BaseDisk{}, err
	}
	t.Phase("base disk", 1)
	return base, nil
}

func (w *Writer) write(ctx context.Context, req materialize.DiskRequest, t *materialize.Task) (base materialize.BaseDisk, err error) {
	if req.Arch != "x86_64" {
		return base, materialize.Fail(materialize.ClassConfig, writeOp, "use x86_64",
			fmt.Errorf("disks for %s are not supported yet", req.Arch))
	}
	image, err := parseSettings(req.ImageJSON)
	if err != nil {
		return base, err
	}
	for key, set := range map[string]bool{"composefs": image.Composefs, "deploy-via-container": image.ViaContainer} {
		if set {
			t.Logf("image.yaml: %s is not heeded yet", key)
		}
	}
	t.Phase("size", 0)
	c, err := inspect(ctx, t, req.Repo, req.Commit)
	if err != nil {
		return base, err
	}
	base.Path, base.Size = req.Out, diskSize(c, image.Root)
	if err := fits(base.Size, image); err != nil {
		return base, err
	}
	result, err := w.writer(image.Root, req.Sector)(ctx, req, jobOf(req, image, c), base.Size, t)
	if err != nil {
		return base, err
	}
	base.Platform, base.Console = result.Platform, result.Console
	return base, verify(base)
}

// A writeFunc writes a disk of so many bytes.
type writeFunc func(ctx context.Context, req materialize.DiskRequest, job install.Job, size int64, t *materialize.Task) (install.Result, error)

// writer gives what writes a disk with the root file system. A table for sectors of
// 4096 bytes can be written to a device that has them, but to no file.
func (w *Writer) writer(root string, sector int) writeFunc {
	if sector == 512 && (w.cfg.Writer == Offline || w.cfg.Writer == Auto && root == "ext4") {
		return writeOffline
	}
	return w.writeInVM
}

// writeOffline has this machine's tools write the disk.
func writeOffline(ctx context.Context, req materialize.DiskRequest, job install.Job, size int64, t *materialize.Task) (result install.Result, err error) {
	if job.Root != "ext4" {
		return result, materialize.Fail(materialize.ClassConfig, writeOp, "use --writer supermin, or rootfs: ext4 in image.yaml",
			fmt.Errorf("the offline writer makes no %s: %w", job.Root, errors.ErrUnsupported))
	}
	repo, err := ownRepo(ctx, t, req.Repo, req.Commit, req.Ref)
	if err != nil {
		return result, err
	}
	return offline.Write(ctx, offline.Request{Job: job, Repo: repo, Out: req.Out, Size: size}, t)
}

// writeInVM has the guest of a virtual machine write the disk.
func (w *Writer) writeInVM(ctx context.Context, req materialize.DiskRequest, job install.Job, size int64, t *materialize.Task) (result install.Result, err error) {
	a, err := w.appliance(ctx, t)
	if err != nil {
		return result, err
	}
	t.Phase("repository", 0.03)
	repo, err := ownRepo(ctx, t, req.Repo, req.Commit, req.Ref)
	if err != nil {
		return result, err
	}
	image, err := repoDisk(ctx, t, repo)
	if err != nil {
		return result, err
	}
	_ = os.RemoveAll(repo) // the job's scratch goes anyway
	if err := create(req.Out, size, func(*os.File) error { return nil }); err != nil {
		return result, materialize.FailFull(writeOp, err)
	}
	err = w.inVM(ctx, a, appliance.Run{
		Job: guest.Job{Install: &job}, Idle: w.cfg.Idle,
		Disks: []appliance.Disk{
			{Serial: guest.RepoDisk, Path: image, ReadOnly: true},
			{Serial: guest.TargetDisk, Path: req.Out, Sector: req.Sector},
		},
	}, t, &result)
	return result, err
}

// jobOf says what to write.
func jobOf(req materialize.DiskRequest, image settings, c commit) install.Job {
	return install.Job{
		OS: req.OS, Commit: req.Commit, Ref: req.Ref, Remote: image.Remote, Build: req.Build,
		Image:  fmt.Sprintf("%s-%s-metal.%s.raw", req.OS, req.Build, req.Arch),
		Sector: req.Sector, Root: image.Root, RootArgs: strings.Fields(image.RootArgs), Kargs: image.Kargs,
		Platforms: req.PlatformsJSON, Ignition: c.ignition, Time: c.time,
	}
}

// inVM has the guest do a job, passes on what it tells, and reads its answer. Of the run
// it sets what is the same for all.
func (w *Writer) inVM(ctx context.Context, a *appliance.Appliance, run appliance.Run, t *materialize.Task, answer any) error {
	t.Phase("virtual machine", 0.05)
	part := t.Part(0.3, 1) // under emulation, its start takes a third of the time
	run.Memory, run.Console = w.cfg.Memory, filepath.Join(t.Scratch, "console.txt")
	said, err := a.Run(ctx, run, t, func(e appliance.Event) {
		if e.Phase != "" {
			part.Phase(e.Phase, e.Fraction)
		}
		if e.Log != "" {
			t.Logf("%s", e.Log)
		}
	})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(said, answer); err != nil {
		return fmt.Errorf("%s: guest's answer %q: %w", writeOp, said, err)
	}
	return nil
}

// verify checks that the fields are where the guest says, and puts the disk on
// stable storage: nothing so far was.
func verify(base materialize.BaseDisk) error {
	f, err := os.OpenFile(base.Path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", writeOp, err)
	}
	defer func() { _ = f.Close() }() // synced
	pieces, err := stamp(base, "metal", nil)
	if err != nil {
		return err
	}
	for _, p := range pieces {
		have := make([]byte, len(p.Data))
		if _, err := f.ReadAt(have, p.Offset); err != nil {
			return fmt.Errorf("%s: %w", writeOp, err)
		}
		if !bytes.Equal(have, p.Data) {
			return fmt.Errorf("%s: at %d of the disk is %q, want %q", writeOp, p.Offset, have, p.Data)
		}
	}
	if err := f.Sync(); err != nil {
		return materialize.FailFull(writeOp, err)
	}
	return nil
}
