package main

import (
	"context"
	"os"
	"slices"
	"strings"

	"cosafs/cmd/internal/qemu"
	"cosafs/index"
	"cosafs/vfs/webui"
)

// isLive says whether a kind is booted by its kernel, as from the network.
func isLive(kind string) bool { return slices.Contains(liveKinds(), kind) }

// liveKinds are what a network boot takes: the kernel, then what are its initrds.
func liveKinds() []string { return []string{"live-kernel", "live-initramfs", "live-rootfs"} }

// media finds the image to boot.
func (p *program) media(ctx context.Context, o runOptions) (*qemu.Media, error) {
	if isLive(o.image) {
		return p.liveMedia(ctx, o)
	}
	if len(o.kargs) > 0 {
		err := &usageError{text: "run: --kargs: the boot loader of a disk or ISO has its own"}
		err.hint = "cosafs run live-kernel takes them; extra-kargs of image.yaml are on every disk"
		return nil, err
	}
	image, err := p.findImage(ctx, o)
	if err != nil {
		return nil, err
	}
	return qemu.Open(ctx, image, o.machine.TempDir)
}

// liveMedia is the build's live system. Its kernel arguments are those of Fedora
// CoreOS' documentation for PXE; Ignition takes a configuration of ours on
// platform qemu alone.
func (p *program) liveMedia(ctx context.Context, o runOptions) (*qemu.Media, error) {
	files, err := p.artifacts(ctx, o.build, liveKinds()...)
	if err != nil {
		return nil, err
	}
	platform, console := "metal", "ttyS0"
	if o.machine.Ignition != "" {
		platform = "qemu"
	}
	if o.machine.Arch == "aarch64" {
		console = "ttyAMA0"
	}
	args := append([]string{"console=" + console, "ignition.firstboot", "ignition.platform.id=" + platform}, o.kargs...)
	return qemu.OpenKernel(files[0], files[1:], args, o.machine.TempDir)
}

// findImage gives the path or URL of the image to boot: a kind is made real, a
// file of this machine is taken as it is, a path of the tree is made real, too.
func (p *program) findImage(ctx context.Context, o runOptions) (string, error) {
	kind := o.image
	if kind == "" {
		kind = "qemu"
	}
	var paths []string
	var err error
	switch {
	case index.ShortName(index.Kind(kind)) != "":
		paths, err = p.artifacts(ctx, o.build, kind)
	case strings.Contains(kind, "://") || isFile(kind):
		return kind, nil
	default:
		paths, err = p.makeReal(ctx, kind)
	}
	if err != nil {
		return "", err
	}
	return paths[0], nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// artifacts makes artifacts of a build and gives their paths.
func (p *program) artifacts(ctx context.Context, build string, kinds ...string) ([]string, error) {
	var paths []string
	for _, kind := range kinds {
		paths = append(paths, build+"/"+p.arch()+"/"+index.ShortName(index.Kind(kind)))
	}
	return p.makeReal(ctx, paths...)
}

// makeReal makes paths of the tree exist, and says where they are.
func (p *program) makeReal(ctx context.Context, paths ...string) (files []string, err error) {
	err = p.service(ctx, func(s webui.Service) error {
		for _, path := range paths {
			res, err := p.materialise(ctx, s, path)
			if err != nil {
				return err
			}
			files = append(files, res.Path)
		}
		return nil
	})
	return files, err
}
