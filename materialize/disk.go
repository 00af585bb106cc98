package materialize

import (
	"context"
	"io"
	"os"
	"time"
)

// A DiskRequest says which disk to write.
type DiskRequest struct {
	Repo      string // bare-user OSTree repository on this machine
	Commit    string
	Ref       string // "" if none
	OS        string // name of the OS: ostree's osname
	Build     string
	Arch      string
	ImageJSON []byte // the rendered image configuration (image.yaml over defaults)
	// PlatformsJSON is the table of platforms.yaml for Arch; nil = an empty one.
	PlatformsJSON []byte
	// Sector is the logical sector size in bytes, 512 or 4096.
	Sector int
	// Out is where the raw sparse disk is written; it must not exist.
	Out string
}

// A BaseDisk is the raw sparse disk that one VM run writes; every platform's
// image of the build is made from it.
type BaseDisk struct {
	Path string `json:"path"`
	Size int64  `json:"size"` // bytes
	// Platform is where the platform id lies in the boot entry: patching these
	// bytes in place makes another platform's disk.
	Platform []Extent `json:"platform"`
	// Console is where grub.cfg has the platform's console settings, patched likewise.
	Console []Extent `json:"console,omitempty"`
	// Data are the ranges that aren't zeros, which follow from the disk's contents
	// alone; nil = not known.
	Data []Extent `json:"data,omitempty"`
}

// An Extent is a range of bytes of a disk.
type Extent struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// An ImageRequest says which file to make of a base disk.
type ImageRequest struct {
	Kind          string
	Base          BaseDisk
	ImageJSON     []byte // as in [DiskRequest], and so is
	PlatformsJSON []byte
	Name          string // of the OS
	Build         string
	Version       string // ostree's, which is the build's unless it was made in a time of other rules
	Summary       string // one line about the OS; "" if none is known
	Arch          string // RPM basearch
	File          string // base name that the file will have
	// Time is the commit's: the only one that is written into the file.
	Time time.Time
}

// A View is a file that is computed as it is read. Its bytes never change. It is
// safe for concurrent use; Close is called once.
type View interface {
	io.ReaderAt
	io.Closer
	Size() int64   // bytes
	Blocks() int64 // st_blocks of a file with the same holes: units of 512 bytes
	// Data gives the first range at or after off that is not a hole; false where all
	// that follows are zeros.
	Data(off int64) (Extent, bool)
	// LocalFile gives a file with the same bytes, for who reads faster from one, where
	// it costs next to no disk; the view owns it. The first call may take a while.
	LocalFile() (*os.File, bool)
	// Source gives an open file, the view's, that the n bytes at off lie in as they are,
	// and where in it; false if some are computed, or they lie in several places.
	Source(off, n int64) (f *os.File, at int64, ok bool)
}

// A DiskWriter writes base disks and makes artifacts of them.
type DiskWriter interface {
	// RenderImage reads image.yaml with its includes and gives image.json:
	// defaults filled in, keys sorted. Unknown keys are a Failure of ClassConfig
	// that names them.
	RenderImage(ctx context.Context) ([]byte, error)
	// RenderPlatforms reads platforms.yaml and gives platforms.json: the settings of
	// each platform of the architecture, "{}" where there is no such file. Unknown
	// keys, and settings that don't fit on a disk, are a Failure of ClassConfig.
	RenderPlatforms(ctx context.Context, arch string) ([]byte, error)
	// Tool is a short hash-like tag of everything that decides how a disk is
	// written beside its request: layout version and such. Part of job keys.
	Tool() string
	// Write makes the base disk. Failures: ClassTool (no qemu, no supermin),
	// ClassSpace, ClassVM (died, hung), ClassGuest, ClassConfig (disk too small).
	Write(ctx context.Context, req DiskRequest, t *Task) (BaseDisk, error)
	// Kinds lists the artifact kinds that Make can make, such as metal and qemu.
	Kinds() []string
	// Views lists the kinds whose files are computed from the base disk as they are
	// read and stored only on demand: those of Kinds that nobody needs as files.
	Views() []string
	// View gives the file, which Make would write, without writing it. The base disk
	// must stay until it is closed.
	View(req ImageRequest) (View, error)
	// Disk gives the raw disk that the kind's file has in its frame or coding. As with
	// View the base disk must stay until it is closed.
	Disk(req ImageRequest) (View, error)
	// Make writes the file to out, which must not exist.
	Make(ctx context.Context, req ImageRequest, out string, t *Task) error
}
