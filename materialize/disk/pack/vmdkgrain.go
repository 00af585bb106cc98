package pack

import (
	"bytes"
	"encoding/binary"
	"sync"

	"github.com/klauspost/compress/zlib"
)

// A grainPacker compresses grains. It is safe for concurrent use.
type grainPacker struct {
	level int
	free  sync.Pool // of *zlib.Writer, each about 1 MB
}

func newGrainPacker(level int) *grainPacker { return &grainPacker{level: level} }

// pack gives the grains of a region, each with its marker and padded to sectors.
// Those that are all zeros are left out.
func (p *grainPacker) pack(sector int64, data []byte) ([]byte, error) {
	out := bytes.NewBuffer(make([]byte, 0, len(data)/2+vmdkSector))
	for ; len(data) > 0; sector += vmdkGrain {
		grain := data[:min(len(data), vmdkGrain*vmdkSector)]
		data = data[len(grain):]
		if isZero(grain) {
			continue
		}
		if err := p.packGrain(out, sector, grain); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// packGrain writes a grain. The last of a disk may be cut short: it is filled up, since
// readers want whole ones.
func (p *grainPacker) packGrain(out *bytes.Buffer, sector int64, grain []byte) error {
	at := out.Len()
	out.Write(make([]byte, grainMarker))
	z, ok := p.free.Get().(*zlib.Writer)
	if ok {
		z.Reset(out)
	} else {
		var err error
		if z, err = zlib.NewWriterLevel(out, p.level); err != nil {
			return err
		}
	}
	defer p.free.Put(z)
	for _, b := range [][]byte{grain, make([]byte, vmdkGrain*vmdkSector-len(grain))} {
		if _, err := z.Write(b); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	marker := out.Bytes()[at:]
	binary.LittleEndian.PutUint64(marker, uint64(sector))
	binary.LittleEndian.PutUint32(marker[8:], uint32(len(marker)-grainMarker))
	out.Write(make([]byte, roundUp(int64(len(marker)), vmdkSector)-int64(len(marker))))
	return nil
}

// grainMarker is what precedes a grain: its sector on the disk, and how many bytes follow.
const grainMarker = 12 // bytes

// cutGrain cuts the first grain off, and gives its sector on the disk.
func cutGrain(grains []byte) (sector int64, grain, rest []byte) {
	size := grainMarker + int64(binary.LittleEndian.Uint32(grains[8:]))
	end := roundUp(size, vmdkSector)
	return int64(binary.LittleEndian.Uint64(grains)), grains[:end], grains[end:]
}

func isZero(b []byte) bool { return bytes.Count(b, []byte{0}) == len(b) }
