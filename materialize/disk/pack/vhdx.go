package pack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"

	"cosafs/materialize"
)

// VHDX has qemu-img write the raw disk of the file disk as a dynamic VHDX to the file
// out: cosa's hyperv. Its GUIDs, which qemu-img draws, follow from the seed: the same disk
// and seed, the same bytes. Errors are those of [CompressedQCOW2].
func VHDX(ctx context.Context, t *materialize.Task, disk, out, seed string) error {
	const op = "make VHDX"
	if err := qemuImg(ctx, t, op, disk, out, "-O", "vhdx"); err != nil {
		return err
	}
	f, err := os.OpenFile(out, os.O_RDWR, 0)
	if err == nil {
		err = errors.Join(vhdxFile{f, seed}.settle(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", op, errors.Join(err, os.Remove(out)))
	}
	return nil
}

// Where things are in a VHDX: [MS-VHDX] 2.2 to 2.6.
const (
	vhdxHeader  = 64 << 10 // the first of two, that far from each other
	vhdxRegions = 192 << 10
	vhdxBlock   = 4096 // bytes of a header
)

// GUIDs as they lie on disk.
const (
	vhdxMetadata = "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e" // the region's
	vhdxDiskID   = "\xab\x12\xca\xbe\xe6\xb2\x23\x45\x93\xef\xc3\x09\xe0\x00\xc7\x46" // the item's: virtual disk ID
)

// A vhdxFile is a VHDX that was closed, of which nothing is to be replayed.
type vhdxFile struct {
	*os.File
	seed string
}

// settle replaces what qemu-img draws: the GUIDs and numbers of the headers, the disk's
// ID, and what is left in the log, which is replayed no more.
func (v vhdxFile) settle() error {
	for n := range int64(2) {
		if err := v.settleHeader(n); err != nil {
			return err
		}
	}
	return v.settleID()
}

// settleHeader rewrites a header. That with the larger number counts, which is the second.
func (v vhdxFile) settleHeader(n int64) error {
	h, at, le := make([]byte, vhdxBlock), vhdxHeader*(n+1), binary.LittleEndian
	if _, err := v.ReadAt(h, at); err != nil {
		return err
	}
	if !bytes.HasPrefix(h, []byte("head")) || !bytes.Equal(h[48:64], make([]byte, 16)) {
		return fmt.Errorf("header at %d: not that of a closed VHDX: %w", at, fs.ErrInvalid)
	}
	le.PutUint64(h[8:], uint64(n)+1)
	copy(h[16:], v.guid("file"))
	copy(h[32:], v.guid("data"))
	le.PutUint32(h[4:], 0)
	le.PutUint32(h[4:], crc32.Checksum(h, crc32.MakeTable(crc32.Castagnoli)))
	if err := v.clear(int64(le.Uint64(h[72:])), int64(le.Uint32(h[68:]))); err != nil {
		return err
	}
	_, err := v.WriteAt(h, at)
	return err
}

// clear zeroes the log.
func (v vhdxFile) clear(off, n int64) error {
	if off < vhdxRegions || n > 64<<20 {
		return fmt.Errorf("log of %d bytes at %d: %w", n, off, fs.ErrInvalid)
	}
	_, err := v.WriteAt(make([]byte, n), off)
	return err
}

// settleID rewrites the disk's ID, an item of the metadata.
func (v vhdxFile) settleID() error {
	region, err := v.entry(vhdxRegions, 16, vhdxMetadata)
	if err != nil {
		return err
	}
	metadata := int64(binary.LittleEndian.Uint64(region[16:]))
	item, err := v.entry(metadata, 32, vhdxDiskID)
	if err != nil {
		return err
	}
	_, err = v.WriteAt(v.guid("disk"), metadata+int64(binary.LittleEndian.Uint32(item[16:])))
	return err
}

// entry finds the entry of a GUID in a table of 64 KiB, whose entries of 32 bytes follow
// its header.
func (v vhdxFile) entry(table, header int64, guid string) ([]byte, error) {
	b, err := io.ReadAll(io.NewSectionReader(v, table, 64<<10))
	if err != nil {
		return nil, err
	}
	for at := header; at+32 <= int64(len(b)); at += 32 {
		if string(b[at:at+16]) == guid {
			return b[at : at+32], nil
		}
	}
	return nil, fmt.Errorf("table at %d: no entry %x: %w", table, guid, fs.ErrInvalid)
}

// guid derives a GUID: version 8 of RFC 9562, on disk as Microsoft has them.
func (v vhdxFile) guid(what string) []byte {
	sum := sha256.Sum256([]byte("cosafs VHDX " + what + " " + v.seed))
	sum[7], sum[8] = sum[7]&0x0f|0x80, sum[8]&0x3f|0x80
	return sum[:16]
}
