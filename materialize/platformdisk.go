package materialize

import (
	"context"
	"fmt"
)

// A PlatformDisk is a platform's raw disk of a build, whatever file the platform's
// artifact is: the bytes that a machine of the platform has on its disk.
type PlatformDisk struct {
	Build Build
	// ImageJSON is the image configuration that the build was composed with.
	ImageJSON []byte
	// Key tells the disk's contents from others', by the commit and the configuration
	// that they follow from. Where the disk is written anew, the places of its bytes
	// may be others: file systems promise no order.
	Key string
	// Use gives the disk to do while its base disk is held, which is written first if
	// need be. The error is do's, or why there is no disk.
	Use func(ctx context.Context, do func(View) error) error
}

// PlatformDisk finds the disk of a recorded build for the kind of the platform.
// Nothing is written before it is used. Then a kind that has no disk, or one that
// can't be made on this machine, is [ErrNotMakeable].
func (m *Maker) PlatformDisk(ctx context.Context, t Target) (PlatformDisk, error) {
	b, err := m.Records.Build(ctx, t.Build, t.Arch)
	if err != nil {
		return PlatformDisk{}, err
	}
	req, err := m.requestOf(ctx, b, t.Kind)
	if err != nil {
		return PlatformDisk{}, err
	}
	return PlatformDisk{
		Build: b, ImageJSON: req.ImageJSON, Key: diskKey(req, t.Kind),
		Use: func(ctx context.Context, do func(View) error) error { return m.useDisk(ctx, b, t, do) },
	}, nil
}

// diskKey hashes what a platform's disk follows from. How it is written is not part of
// it: the same system stays the same when cosafs or mkfs are renewed.
func diskKey(req DiskRequest, kind string) string {
	return hashKey("platform disk", req.Commit, req.Ref, req.OS, req.Arch, string(req.ImageJSON), string(req.PlatformsJSON), kind)
}

// useDisk has the base disk written, if it isn't cached, and gives the platform's.
func (m *Maker) useDisk(ctx context.Context, b Build, t Target, do func(View) error) error {
	if err := m.makeable(t); err != nil {
		return err
	}
	if t.Kind == KindOSTree {
		return fmt.Errorf("%s is no disk: %w", t, ErrNotMakeable)
	}
	for {
		req, err := m.requestOf(ctx, b, t.Kind)
		if err != nil {
			return err
		}
		base, release, err := m.holdBase(m.baseKey(req))
		if err == nil {
			defer release()
			return m.withDisk(m.imageRequest(b, t.Kind, req, base), do)
		}
		if !isAbsent(err) {
			return err
		}
		if _, err := m.Runner.Do(ctx, m.viewWork(b, t, req), m.Linger); err != nil {
			return err
		}
	}
}

// withDisk opens the disk over its base disk for the time of do.
func (m *Maker) withDisk(req ImageRequest, do func(View) error) error {
	v, err := m.Disks.Disk(req)
	if err != nil {
		return err
	}
	defer func() { _ = v.Close() }() // read only
	return do(v)
}
