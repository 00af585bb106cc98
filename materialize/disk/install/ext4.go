package install

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A Place is where a file system lies: in so many bytes of a disk's file, or in all of a
// partition's device.
type Place struct {
	Path        string
	Start, Size int64 // bytes
}

// E2fs names the place for e2fsprogs.
func (p Place) E2fs() string {
	if p.Start == 0 {
		return p.Path
	}
	return p.Path + "?offset=" + strconv.FormatInt(p.Start, 10)
}

// Ext4 makes a file system of a folder, with [Job.BootArgs] or [Job.RootArgsExt4]. It
// follows from the folder's files and the job, bit for bit; see [System.Settle].
func (s *System) Ext4(ctx context.Context, folder string, p Place, args func(extended string) []string) error {
	extended := ""
	if p.Start != 0 {
		extended = "offset=" + strconv.FormatInt(p.Start, 10)
	}
	if err := s.Run(ctx, "mke2fs", append(args(extended), "-d", folder, p.Path, strconv.FormatInt(p.Size/1024, 10)+"k")...); err != nil {
		return err
	}
	return s.setTimes(ctx, p)
}

// setTimes sets the inodes' times of change and of access. mke2fs takes them from the
// folder: the first can't be set there, and looking changes the second.
func (s *System) setTimes(ctx context.Context, p Place) error {
	used, err := usedInodes(p)
	if err != nil {
		return err
	}
	var script strings.Builder
	for _, i := range used {
		now := s.Job.Time.Unix()
		fmt.Fprintf(&script, "sif <%d> ctime @%d\nsif <%d> atime @%d\n", i, now, i, now)
	}
	name := filepath.Join(s.Temp, "debugfs")
	if err := os.WriteFile(name, []byte(script.String()), 0o600); err != nil {
		return err
	}
	return s.Run(ctx, "debugfs", "-w", "-f", name, p.E2fs())
}

// Inodes of ext4 that are in use from the start: the root directory, and the first
// that is nobody's in particular.
const (
	rootInode  = 2
	firstInode = 11
)

// usedInodes gives the inodes of a new ext4, which takes them one after the other
// (superblock: ext4's documentation, counts at 0 and 16).
func usedInodes(p Place) ([]int, error) {
	f, err := os.Open(p.Path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	super := make([]byte, 20)
	if _, err := f.ReadAt(super, p.Start+1024); err != nil {
		return nil, err
	}
	used := []int{rootInode}
	for i := firstInode; i <= int(binary.LittleEndian.Uint32(super)-binary.LittleEndian.Uint32(super[16:])); i++ {
		used = append(used, i)
	}
	return used, nil
}
