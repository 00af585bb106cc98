package catalog

import (
	"fmt"
	"hash/crc32"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"cosafs/index"
)

// maxRecord bounds what a damaged record may unpack to, in bytes.
const maxRecord = 256 << 20

// dictionary gives the names that all records share, so that small ones become
// smaller still. Its checksum is part of the format's version.
var dictionary = sync.OnceValue(func() []byte {
	var b strings.Builder
	for _, kind := range index.Kinds() {
		name, _ := index.FileName(kind, "os", "1.2", "x86_64") // kinds that are known have names
		b.WriteString(string(kind) + " " + strings.TrimPrefix(name, "os-1.2"))
	}
	b.WriteString("aarch64 ppc64le s390x/meta.json commitmeta.json ostree-commit-object manifest-lock.generated.x86_64.json" +
		"coreos-assembler-config-git.json coreos-assembler-config.tar.gz")
	return []byte(b.String())
})

// dictionaryID is what zstd calls our dictionary by.
const dictionaryID = 0x636f7361

// packer and unpacker are safe for concurrent use. One block at a time, as a
// catalog is a small part of its process.
var packer = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(128<<10),
		zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderCRC(false), zstd.WithEncoderDictRaw(dictionaryID, dictionary()))
})

var unpacker = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxRecord), zstd.WithDecoderDictRaw(dictionaryID, dictionary()))
})

// pack compresses a record.
func pack(data []byte) ([]byte, error) {
	p, err := packer()
	if err != nil {
		return nil, err
	}
	return p.EncodeAll(data, nil), nil
}

// unpack undoes pack. What is not of pack's making is [ErrDamaged].
func unpack(data []byte) ([]byte, error) {
	u, err := unpacker()
	if err != nil {
		return nil, err
	}
	plain, err := u.DecodeAll(data, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: unpack a record: %w", ErrDamaged, err)
	}
	return plain, nil
}

// format names the layout of records; see keys.go and record.go.
func format() []byte {
	const version = 1
	return fmt.Appendf(nil, "%d %08x", version, crc32.ChecksumIEEE(dictionary()))
}
