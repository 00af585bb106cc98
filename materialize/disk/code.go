package disk

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"cosafs/materialize"
	"cosafs/materialize/disk/pack"
	"cosafs/materialize/disk/view"
)

// A coder writes a disk as a file of another format.
type coder func(ctx context.Context, c coding) error

// A coding is what a coder has to do.
type coding struct {
	req  materialize.ImageRequest
	disk view.Image // in the platform's frame
	out  string     // does not exist yet
	task *materialize.Task
}

// file makes out of what write writes.
func (c coding) file(write func(*os.File) error) error { return create(c.out, 0, write) }

// gzipped is digitalocean's.
func gzipped(ctx context.Context, c coding) error {
	return c.file(func(f *os.File) error {
		return pack.Compress(ctx, f, view.Reader(ctx, c.disk), "gz", pack.CompressOptions{Task: c.task})
	})
}

// gcp is an archive of disk.raw, as Compute Engine imports it.
func gcp(ctx context.Context, c coding) error {
	return c.file(func(f *os.File) error { return pack.GCP(ctx, f, c.disk, pack.GCPOptions{Time: c.req.Time}) })
}

// kubevirt is a container image with the disk inside.
func kubevirt(ctx context.Context, c coding) error {
	return c.file(func(f *os.File) error {
		return pack.Kubevirt(ctx, f, c.disk, pack.KubevirtOptions{
			Name: strings.TrimSuffix(c.req.File, filepath.Ext(c.req.File)) + ".qcow2", Arch: c.req.Arch, Version: c.req.Build,
			Time: c.req.Time, Scratch: c.task.Scratch,
		})
	})
}

// powerVS is an archive of the raw disk and its description.
func powerVS(ctx context.Context, c coding) error {
	return c.file(func(f *os.File) error {
		return pack.PowerVS(ctx, f, c.disk, pack.PowerVSOptions{
			Name: c.req.Name, Version: c.req.Version, Summary: c.req.Summary, Time: c.req.Time,
		})
	})
}

// vmdk is aws's.
func vmdk(ctx context.Context, c coding) error {
	seed, err := seedOf(c.disk)
	if err != nil {
		return err
	}
	return c.file(func(f *os.File) error {
		return pack.VMDK(ctx, f, c.disk, pack.VMDKOptions{Name: c.req.File, Seed: seed})
	})
}

func vmware(ctx context.Context, c coding) error { return ova(ctx, c, pack.VMware) }

func virtualBox(ctx context.Context, c coding) error { return ova(ctx, c, pack.VirtualBox) }

// ova is an archive of the disk and its description.
func ova(ctx context.Context, c coding, hypervisor pack.Hypervisor) error {
	settings, err := parseSettings(c.req.ImageJSON)
	if err != nil {
		return err
	}
	seed, err := seedOf(c.disk)
	if err != nil {
		return err
	}
	return c.file(func(f *os.File) error {
		return pack.OVA(ctx, f, c.disk, pack.OVAOptions{
			For: hypervisor, Name: c.req.Name, Version: c.req.Version, Summary: c.req.Summary, Seed: seed, Time: c.req.Time, Scratch: c.task.Scratch,
			HardwareVersion: settings.Hardware, OSType: settings.OSType, SecureBoot: settings.SecureBoot,
		})
	})
}

// vhdx is hyperv's.
func vhdx(ctx context.Context, c coding) error {
	seed, err := seedOf(c.disk)
	if err != nil {
		return err
	}
	return converted(ctx, c, func(ctx context.Context, t *materialize.Task, disk, out string) error {
		return pack.VHDX(ctx, t, disk, out, seed)
	})
}

// compressedQCOW2 is nutanix's.
func compressedQCOW2(ctx context.Context, c coding) error {
	return converted(ctx, c, pack.CompressedQCOW2)
}

// converted has qemu-img do it, which wants the disk as a file.
func converted(ctx context.Context, c coding, convert func(ctx context.Context, t *materialize.Task, disk, out string) error) error {
	disk := c.out + ".raw"
	defer func() { _ = os.Remove(disk) }() // in scratch space, which is cleared anyway
	if err := store(ctx, c.disk, disk); err != nil {
		return err
	}
	return convert(ctx, c.task, disk, c.out)
}
