package install

import (
	"context"
	"path/filepath"
)

// FAT makes the EFI system partition of its folder in a file or device. It follows from
// the folder's files and the job, bit for bit; see [System.Settle].
func (s *System) FAT(ctx context.Context, image string) error {
	if err := s.Run(ctx, "mkfs.fat", append(s.Job.FATArgs(), image)...); err != nil {
		return err
	}
	return s.Run(ctx, "mcopy", "-i", image, "-s", "-m", filepath.Join(s.ESP, "EFI"), "::")
}
