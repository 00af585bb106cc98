package install

import (
	"context"
	"strconv"
)

// The identities that cosa gives every disk (create_disk.sh). A system's first
// boot replaces them where Ignition runs.
const (
	diskGUID = "00000000-0000-4000-a000-000000000001" // the sentinel that first boots look for
	bootUUID = "96d15588-3596-4b3c-adca-a2ff7279ea63"
	rootUUID = "910678ff-f77e-4a7d-8d53-86f2ac47a823"
	espID    = "7b7795e7" // as osbuild has it
)

// Type GUIDs of partitions.
const (
	typeBIOSBoot = "21686148-6449-6E6F-744E-656564454649"
	typeReserved = "8DA63339-0007-60C0-C436-083AC8230908"
	typeESP      = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
	typeLinux    = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
)

// Numbers of partitions; other programs rely on them.
const (
	BIOSBoot = 1 + iota
	ESP
	Boot
	Root
)

// Partition writes the partition table of cosa's x86_64 disks to a device or file.
func (s *System) Partition(ctx context.Context, disk string) error {
	first, name := typeBIOSBoot, "BIOS-BOOT"
	if s.Job.Sector == 4096 { // no BIOS boots from such a disk
		first, name = typeReserved, "reserved"
	}
	args := []string{"--disk-guid=" + diskGUID}
	for _, p := range []struct {
		number           int
		label, size, typ string
	}{
		{BIOSBoot, name, "+1M", first},
		{ESP, "EFI-SYSTEM", "+127M", typeESP},
		{Boot, "boot", "+384M", typeLinux},
		{Root, "root", "0", typeLinux},
	} {
		n := strconv.Itoa(p.number)
		args = append(args, "-n", n+":0:"+p.size, "-c", n+":"+p.label, "-t", n+":"+p.typ,
			"-u", n+":"+s.Job.UUID("partition "+p.label))
	}
	return s.Run(ctx, "sgdisk", append(args, disk)...)
}

// FATArgs are mkfs.fat's for the EFI system partition.
func (j *Job) FATArgs() []string {
	args := []string{"--invariant", "-i", espID, "-n", "EFI-SYSTEM"}
	if j.Sector != 4096 { // with such sectors 127 MiB are too few clusters for FAT32
		args = append(args, "-F", "32")
	}
	return args
}

// XFSArgs are mkfs.xfs's for the root.
func (j *Job) XFSArgs() []string {
	return append([]string{"-f", "-K", "-q", "-L", "root", "-m", "reflink=1,uuid=" + rootUUID}, j.RootArgs...)
}

// BootArgs are mke2fs's for the boot partition, with more extended options.
func (j *Job) BootArgs(extended string) []string { return j.ext4("boot", bootUUID, extended) }

// RootArgsExt4 are mke2fs's for the root.
func (j *Job) RootArgsExt4(extended string) []string {
	return append(j.ext4("root", rootUUID, extended), j.RootArgs...)
}

// ext4 makes one that old kernels and GRUB can read. The disk is a new file, so
// it holds zeros already. A block never lies in an inode: GRUB and the platform
// field need the boot entry to have one of its own.
func (j *Job) ext4(label, uuid, extended string) []string {
	if extended != "" {
		extended = "," + extended
	}
	return []string{
		"-t", "ext4", "-q", "-F", "-b", "4096", "-L", label, "-U", uuid,
		"-O", "^orphan_file,^metadata_csum_seed,^inline_data",
		"-E", "nodiscard,assume_storage_prezeroed=1,hash_seed=" + j.UUID("hash "+label) + extended,
	}
}
