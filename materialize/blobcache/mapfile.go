package blobcache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// granule is how many bytes come and go together. perf.md 3: smaller ones help
// no reader, larger ones multiply what random reads fetch.
const granule = 64 << 10

// A map file is, at multiples of 4096 bytes so that no part is torn with another:
//
//	0     header, checksummed
//	4096  cleanMark, or anything else while the object is in use
//	8192  one bit a granule: it is on the disk
//	then  four bytes a granule: CRC32C of its bytes
//
// Numbers are little endian. Only the header is vouched for by a checksum: what
// the rest claims is checked against the data where the mark is missing.
const (
	mapVersion = 1
	block      = 4096
	cleanAt    = block
	bitsAt     = 2 * block
	maxSize    = 1 << 50 // bytes, far beyond what a store takes
)

var (
	mapMagic   = [8]byte{'c', 'o', 's', 'a', 'b', 'l', 'o', 'b'}
	cleanMark  = [8]byte{'c', 'l', 'e', 'a', 'n', '\n', '\n', '\n'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// errMap means that a map file is none, or damaged.
var errMap = errors.New("damaged map")

// A header says what a map file is about.
type header struct {
	Magic   [8]byte
	Version uint32
	Granule uint32
	Size    int64
	ID      [sha256.Size]byte // of Object.ID
	SHA256  [sha256.Size]byte // that the whole has; zero where not known or incomplete
	// ModTime is when a complete data file was written last, in ns; 0 = incomplete.
	ModTime int64
}

// newHeader is the header of an incomplete object.
func newHeader(id [sha256.Size]byte, size int64) header {
	return header{Magic: mapMagic, Version: mapVersion, Granule: granule, Size: size, ID: id}
}

// encode gives the header's block.
func (h header) encode() []byte {
	b, _ := binary.Append(make([]byte, 0, block), binary.LittleEndian, h) // has a fixed size
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return b[:block]
}

// decodeHeader reads what encode gave.
func decodeHeader(b []byte) (header, error) {
	var h header
	n, err := binary.Decode(b, binary.LittleEndian, &h)
	switch {
	case err != nil || len(b) < n+4:
		return h, fmt.Errorf("header is short: %w", errMap)
	case h.Magic != mapMagic || crc32.Checksum(b[:n], castagnoli) != binary.LittleEndian.Uint32(b[n:]):
		return h, fmt.Errorf("header: %w", errMap)
	case h.Version != mapVersion || h.Granule != granule:
		return h, fmt.Errorf("format %d with granules of %d: %w", h.Version, h.Granule, errMap)
	case h.Size < 0 || h.Size > maxSize:
		return h, fmt.Errorf("%d bytes: %w", h.Size, errMap)
	}
	return h, nil
}

// granules is how many granules size bytes are.
func granules(size int64) int { return int((size + granule - 1) / granule) }

// crcsAt is where the checksums begin.
func (h header) crcsAt() int64 {
	bits := int64(granules(h.Size)+63) / 64 * 8
	return bitsAt + (bits+block-1)/block*block
}

// length is the size of the whole map file.
func (h header) length() int64 { return h.crcsAt() + 4*int64(granules(h.Size)) }

// A claim is what a map file says about the data file.
type claim struct {
	header
	clean bool
	bits  bitmap
}

// untouched says whether the data file is the complete one that was verified, as
// far as its size and time tell.
func (cl claim) untouched(path string) bool {
	st, err := os.Stat(path)
	return err == nil && cl.ModTime != 0 && st.Size() == cl.Size && st.ModTime().UnixNano() == cl.ModTime
}

// readClaim reads a map file of that length. It never takes more memory than that.
func readClaim(r io.ReaderAt, length int64) (claim, error) {
	top := make([]byte, bitsAt)
	if _, err := r.ReadAt(top, 0); err != nil {
		return claim{}, fmt.Errorf("%w: %w", errMap, err)
	}
	h, err := decodeHeader(top)
	if err != nil {
		return claim{}, err
	}
	if length != h.length() {
		return claim{}, fmt.Errorf("map of %d bytes instead of %d: %w", length, h.length(), errMap)
	}
	n := granules(h.Size)
	bits := make([]byte, (n+63)/64*8)
	if _, err := r.ReadAt(bits, bitsAt); err != nil {
		return claim{}, fmt.Errorf("%w: %w", errMap, err)
	}
	return claim{header: h, clean: bytes.HasPrefix(top[cleanAt:], cleanMark[:]), bits: bitmapOf(bits, n)}, nil
}

// A mapFile is an open map file. Its methods are not safe for concurrent use, but
// for crc.
type mapFile struct {
	*os.File
	header
}

// createMap makes the map of an object of which nothing is there. It is not
// synced: a torn one is refused by its checksum.
func createMap(path string, h header) (*mapFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteAt(h.encode(), 0)
	if err == nil {
		err = f.Truncate(h.length())
	}
	if err != nil {
		_ = f.Close() // the first error counts
		return nil, err
	}
	return &mapFile{f, h}, nil
}

// openMap opens a map file and reads what it claims.
func openMap(path string) (*mapFile, claim, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, claim{}, err
	}
	var cl claim
	st, err := f.Stat()
	if err == nil {
		cl, err = readClaim(f, st.Size())
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, claim{}, err
	}
	return &mapFile{f, cl.header}, cl, nil
}

// soil takes back that the map is clean, and that the object is complete.
func (m *mapFile) soil() error {
	m.ModTime, m.SHA256 = 0, [sha256.Size]byte{}
	_, err := m.WriteAt(append(m.encode(), make([]byte, len(cleanMark))...), 0)
	if err != nil {
		return err
	}
	return m.sync()
}

// clean says that what the map claims can be believed without looking.
func (m *mapFile) clean() error {
	if _, err := m.WriteAt(cleanMark[:], cleanAt); err != nil {
		return err
	}
	return m.sync()
}

// record writes checksums, then the bits that count.
func (m *mapFile) record(crcs map[int]uint32, bits []byte) error {
	list := make([]int, 0, len(crcs))
	for g := range crcs {
		list = append(list, g)
	}
	slices.Sort(list)
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n] == list[0]+n {
			n++
		}
		if err := m.writeCRCs(list[0], list[:n], crcs); err != nil {
			return err
		}
		list = list[n:]
	}
	if _, err := m.WriteAt(bits, bitsAt); err != nil {
		return err
	}
	return m.sync()
}

// writeCRCs writes the checksums of a run of granules.
func (m *mapFile) writeCRCs(first int, run []int, crcs map[int]uint32) error {
	buf := make([]byte, 0, 4*len(run))
	for _, g := range run {
		buf = binary.LittleEndian.AppendUint32(buf, crcs[g])
	}
	_, err := m.WriteAt(buf, m.crcsAt()+4*int64(first))
	return err
}

// crc gives the recorded checksum of a granule.
func (m *mapFile) crc(g int) (uint32, error) {
	var buf [4]byte
	_, err := m.ReadAt(buf[:], m.crcsAt()+4*int64(g))
	return binary.LittleEndian.Uint32(buf[:]), err
}

// copyCRCs takes over the checksums of another map of the same object.
func (m *mapFile) copyCRCs(from *mapFile) error {
	at := m.crcsAt()
	_, err := io.Copy(io.NewOffsetWriter(m, at), io.NewSectionReader(from, at, m.length()-at))
	return err
}

// setAll sets the bits of all granules.
func (m *mapFile) setAll() error {
	bits := newBitmap(granules(m.Size))
	for g := range granules(m.Size) {
		bits.set(g)
	}
	_, err := m.WriteAt(bits.bytes(), bitsAt)
	return err
}

func (m *mapFile) sync() error { return fdatasync(m.File) }

// syncDir brings a directory's names to the disk.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// fdatasync brings a file's bytes to the disk.
func fdatasync(f *os.File) error {
	if err := onFd(f, unix.Fdatasync); err != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
	}
	return nil
}

// onFd does something to a file's descriptor, which stays the file's for so long: an
// object that is removed is closed beside whoever saves it. A closed file is an error.
func onFd(f *os.File, do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var done error
	if err := raw.Control(func(fd uintptr) { done = do(int(fd)) }); err != nil {
		return err
	}
	return done
}
