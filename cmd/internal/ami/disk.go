package ami

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"cosafs/backend"
	"cosafs/index"
	"cosafs/materialize"
	"cosafs/materialize/aws"
	"cosafs/materialize/disk/view"
)

// imageOf gives the disk block by block. Where it has to be written first, t tells.
func imageOf(d materialize.PlatformDisk, t *materialize.Task) aws.Disk {
	return func(ctx context.Context, use func(view.Image) error) error {
		return d.Use(materialize.Follow(ctx, t), func(v materialize.View) error {
			im, ok := v.(view.Image)
			if !ok {
				return fmt.Errorf("a disk of %T doesn't tell where its data is: %w", v, errors.ErrUnsupported)
			}
			return use(im)
		})
	}
}

// A Bucket is where VMDKs lie while AWS imports them.
type Bucket struct {
	Store  backend.Store // the whole bucket
	Name   string
	Prefix string // of the keys; "" = cosa's ami-import
}

// ParseBucket reads s3://BUCKET[/PREFIX]; the store is the caller's to open.
func ParseBucket(url string) (Bucket, error) {
	rest, ok := strings.CutPrefix(url, "s3://")
	name, prefix, _ := strings.Cut(rest, "/")
	prefix = strings.Trim(prefix, "/")
	if !ok || name == "" || strings.ContainsAny(rest, "?#") || prefix != "" && !backend.ValidKey(prefix) {
		return Bucket{}, fmt.Errorf("%q is not s3://BUCKET or s3://BUCKET/PREFIX: %w", url, fs.ErrInvalid)
	}
	if prefix == "" {
		prefix = "ami-import"
	}
	return Bucket{Name: name, Prefix: prefix}, nil
}

// object gives the build's VMDK in the bucket. It is made, sent and deleted as AWS
// needs it.
func (k Bucket) object(b Builds, build materialize.Build, force bool, talk Talk) aws.Object {
	short := index.ShortName(Kind)
	file, _ := index.FileName(Kind, build.Name, index.BuildID(build.ID), index.Arch(build.Arch))
	key := backend.Key(path.Join(k.Prefix, file))
	return aws.Object{
		Bucket: k.Name, Key: string(key),
		Put: func(ctx context.Context) error {
			made, err := b.Materialise(ctx, path.Join(build.ID, build.Arch, short), talk.Tell)
			if err != nil {
				return err
			}
			return k.put(ctx, key, made.Path, build.Artifacts[Kind].SHA256, force)
		},
		Delete: func(ctx context.Context) error {
			w, err := k.writer()
			if err != nil {
				return err
			}
			return w.Delete(ctx, key, backend.Cond{})
		},
	}
}

func (k Bucket) writer() (backend.Writer, error) {
	w, ok := backend.As[backend.Writer](k.Store)
	if !ok {
		return nil, fmt.Errorf("s3://%s can't be written: %w", k.Name, errors.ErrUnsupported)
	}
	return w, nil
}

// put sends the file, unless the bucket has it. What has the same digest is the same;
// where no digest is known the file is sent.
func (k Bucket) put(ctx context.Context, key backend.Key, file, sum string, force bool) error {
	if path.Ext(file) != ".vmdk" {
		return materialize.Fail(materialize.ClassConfig, "send "+path.Base(file), "cosafs decompress unpacks it",
			fmt.Errorf("AWS imports no compressed disk: %w", fs.ErrInvalid))
	}
	w, err := k.writer()
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	st, err := f.Stat()
	if err != nil {
		return err
	}
	src := backend.Source{ReaderAt: f, Size: st.Size(), LocalPath: file}
	if known, err := hex.DecodeString(sum); err == nil && len(known) == len(src.SHA256) {
		src.SHA256 = [len(src.SHA256)]byte(known) // else it was made just now
	}
	if info, err := k.Store.Stat(ctx, key); err == nil && !force && src.Digested() && info.SHA256 == src.SHA256 && info.Size == src.Size {
		return nil
	}
	_, err = w.Put(ctx, key, src, backend.Cond{})
	return err
}
