package pack

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"

	"cosafs/materialize/disk/view"
)

// qemuID is the user and the group of qemu in KubeVirt's containers.
const qemuID = 107

// An ociLayer is the layer as the image's documents tell of it.
type ociLayer struct {
	descriptor
	diffID string // digest of the tar in it
}

// writeLayer writes the gzip of the tar with the disk.
func writeLayer(ctx context.Context, w io.Writer, disk view.Image, o KubevirtOptions) (ociLayer, error) {
	im, err := archive(layerMembers(disk, o)...)
	if err != nil {
		return ociLayer{}, err
	}
	packed, plain, size := sha256.New(), sha256.New(), &counter{}
	err = Compress(ctx, io.MultiWriter(w, packed, size), io.TeeReader(view.Reader(ctx, im), plain), "gz",
		CompressOptions{Level: o.Level, Workers: o.Workers})
	return ociLayer{
		descriptor: descriptor{MediaType: layerType, Digest: digestOf(packed), Size: size.n},
		diffID:     digestOf(plain),
	}, err
}

func digestOf(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// layerMembers gives the disk and the directory above it.
func layerMembers(disk view.Image, o KubevirtOptions) []member {
	dir := file("disk/", view.Bytes(nil), o.Time)
	dir.header.Typeflag, dir.header.Mode = tar.TypeDir, 0o755
	f := file("disk/"+o.Name, disk, o.Time)
	f.header.Uid, f.header.Gid, f.header.Mode = qemuID, qemuID, 0o440
	return []member{dir, f}
}
