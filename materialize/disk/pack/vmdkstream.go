package pack

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
)

// Types of the markers before tables and at the end (Virtual Disk Format 5.0).
const (
	markerEnd       = 0
	markerTable     = 1
	markerDirectory = 2
	markerFooter    = 3
)

// A vmdkStream writes grains, which come in order, and keeps account of them. What
// Write gets are whole grains as grainPacker makes them.
type vmdkStream struct {
	w         io.Writer
	capacity  int64 // sectors of the disk
	sector    int64 // how many were written
	table     int64 // number of the grain table that is being filled; -1 = none
	entries   [vmdkTable]uint32
	directory []uint32 // where the grain tables are
}

// begin writes the header and the descriptor.
func (s *vmdkStream) begin(o VMDKOptions) error {
	tables := (s.capacity + vmdkGrain*vmdkTable - 1) / (vmdkGrain * vmdkTable)
	s.directory = make([]uint32, tables)
	start := bytes.NewBuffer(s.header(1<<64 - 1)) // the footer knows
	start.WriteString(o.descriptor(s.capacity))
	return s.put(append(start.Bytes(), make([]byte, vmdkStart*vmdkSector-start.Len())...))
}

// header is the stream's first sector, and that of the footer, which knows where the
// grain directory is.
func (s *vmdkStream) header(directory uint64) []byte {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, struct { // a Buffer fails at nothing
		Magic                           [4]byte
		Version, Flags                  uint32
		Capacity, Grain, Text, TextSize uint64
		Table                           uint32
		Redundant, Directory, Start     uint64
		Unclean                         uint8
		Newlines                        [4]byte // damaged by who takes this for text
		Compression                     uint16  // deflate
	}{
		Magic: [4]byte{'K', 'D', 'M', 'V'}, Version: 3, Flags: 1 | 1<<16 | 1<<17, // newlines are tested, grains compressed, markers there
		Capacity: uint64(s.capacity), Grain: vmdkGrain, Text: 1, TextSize: vmdkText,
		Table: vmdkTable, Directory: directory, Start: vmdkStart, Newlines: [4]byte{'\n', ' ', '\r', '\n'}, Compression: 1,
	})
	return append(b.Bytes(), make([]byte, vmdkSector-b.Len())...)
}

// Write implements [io.Writer] for whole grains.
func (s *vmdkStream) Write(grains []byte) (int, error) {
	n := len(grains)
	for len(grains) > 0 {
		sector, grain, rest := cutGrain(grains)
		index := sector / vmdkGrain
		if err := s.turnTo(index / vmdkTable); err != nil {
			return 0, err
		}
		s.entries[index%vmdkTable] = uint32(s.sector)
		if err := s.put(grain); err != nil {
			return 0, err
		}
		grains = rest
	}
	return n, nil
}

// turnTo writes the grain table, if there is one and another begins.
func (s *vmdkStream) turnTo(table int64) error {
	if s.table == table {
		return nil
	}
	if s.table >= 0 {
		if err := s.mark(markerTable, len(s.entries)*4); err != nil {
			return err
		}
		s.directory[s.table] = uint32(s.sector)
		if err := s.put(words(s.entries[:])); err != nil {
			return err
		}
	}
	s.table, s.entries = table, [vmdkTable]uint32{}
	return nil
}

// end writes the last table, the directory and the footer.
func (s *vmdkStream) end() error {
	if err := s.turnTo(-1); err != nil {
		return err
	}
	directory := words(s.directory)
	if err := s.mark(markerDirectory, len(directory)); err != nil {
		return err
	}
	at := uint64(s.sector)
	if err := s.put(directory); err != nil {
		return err
	}
	if err := s.mark(markerFooter, vmdkSector); err != nil {
		return err
	}
	if err := s.put(s.header(at)); err != nil {
		return err
	}
	return s.mark(markerEnd, 0)
}

// mark writes a marker of so many bytes that follow.
func (s *vmdkStream) mark(kind uint32, size int) error {
	b := make([]byte, vmdkSector)
	binary.LittleEndian.PutUint64(b, uint64(size/vmdkSector))
	binary.LittleEndian.PutUint32(b[12:], kind)
	return s.put(b)
}

// put writes sectors.
func (s *vmdkStream) put(b []byte) error {
	_, err := s.w.Write(b)
	s.sector += int64(len(b) / vmdkSector)
	return err
}

// words gives numbers as bytes of whole sectors.
func words(numbers []uint32) []byte {
	b := make([]byte, roundUp(int64(len(numbers))*4, vmdkSector))
	for i, n := range numbers {
		binary.LittleEndian.PutUint32(b[i*4:], n)
	}
	return b
}

// descriptor says in words what the header says, as qemu-img writes it.
func (o VMDKOptions) descriptor(capacity int64) string {
	name, adapter, hardware, heads := o.Name, o.Adapter, o.Hardware, int64(255)
	if name == "" {
		name = "disk.vmdk"
	}
	if adapter == "" {
		adapter = "lsilogic"
	}
	if hardware == "" {
		hardware = "6"
	}
	if adapter == "ide" {
		heads = 16
	}
	sum := sha256.Sum256([]byte("vmdk " + o.Seed))
	id := binary.BigEndian.Uint32(sum[:]) &^ (1 << 31) // ffffffff is none
	return fmt.Sprintf(`# Disk DescriptorFile
version=1
CID=%08x
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RW %d SPARSE "%s"

# The Disk Data Base
#DDB

ddb.virtualHWVersion = "%s"
ddb.geometry.cylinders = "%d"
ddb.geometry.heads = "%d"
ddb.geometry.sectors = "63"
ddb.adapterType = "%s"
ddb.toolsVersion = "2147483647"
`, id, capacity, name, hardware, capacity/(63*heads), heads, adapter)
}
