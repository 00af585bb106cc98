package disk

import (
	"context"
	"fmt"
	"strings"

	"cosafs/materialize"
	"cosafs/materialize/disk/live"
)

var _ materialize.LiveMaker = (*Writer)(nil)

// LiveKinds implements [materialize.LiveMaker].
func (w *Writer) LiveKinds() []string {
	return []string{"live-initramfs", "live-iso", "live-kernel", "live-rootfs"}
}

const liveOp = "make live images"

// MakeLive implements [materialize.LiveMaker]; see package live.
func (w *Writer) MakeLive(ctx context.Context, req materialize.LiveRequest, t *materialize.Task) (map[string]string, error) {
	if req.Arch != "x86_64" {
		return nil, materialize.Fail(materialize.ClassConfig, liveOp, "use x86_64", fmt.Errorf("live images for %s are not supported yet", req.Arch))
	}
	image, err := parseSettings(req.ImageJSON)
	if err != nil {
		return nil, err
	}
	c, err := inspect(ctx, t, req.Repo, req.Commit)
	if err != nil {
		return nil, err
	}
	repo, err := ownRepo(ctx, t, req.Repo, req.Commit, req.Ref)
	if err != nil {
		return nil, err
	}
	files, err := live.Make(ctx, live.Request{
		Job: jobOf(req.DiskRequest, image, c), Repo: repo, Osmets: req.Osmets, Type: image.LiveType, Options: image.liveOptions(), Label: volumeID(req.OS + "-" + req.Build),
	}, t)
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"live-initramfs": files.Initramfs, "live-iso": files.ISO, "live-kernel": files.Kernel, "live-rootfs": files.RootFS,
	}, nil
}

// liveOptions are mkfs's of the live root: cosa gives erofs live-rootfs-fsoptions, and
// squashfs squashfs-compression, such as "zstd" or "gzip -Xcompression-level 9".
func (s settings) liveOptions() []string {
	if s.LiveType == "squashfs" && s.LiveCompression != "" {
		return append([]string{"-comp"}, strings.Fields(s.LiveCompression)...)
	}
	return strings.Fields(s.LiveOptions)
}

// volumeID is an ISO's name, cut to the 32 bytes that there are (ECMA-119).
func volumeID(name string) string { return name[:min(len(name), 32)] }
