package view_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"cosafs/materialize/disk/view"
	"cosafs/test/need"
)

// runAll runs commands at once, as sgdisk sleeps for a second when it wrote.
func runAll(t *testing.T, commands [][]string) {
	t.Helper()
	var running []*exec.Cmd
	said := make([]bytes.Buffer, len(commands))
	for i, c := range commands {
		cmd := exec.CommandContext(t.Context(), c[0], c[1:]...)
		cmd.Stdout, cmd.Stderr = &said[i], &said[i]
		if err := cmd.Start(); err != nil {
			t.Error(err)
			break
		}
		running = append(running, cmd)
	}
	for i, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%q: %v\n%s", cmd.Args, err, &said[i])
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// tables are partition tables of many kinds, by the options of sgdisk that make them.
var tables = map[string][]string{
	"coreos":        {"-n1:0:+1M", "-t1:ef02", "-n2:0:+4M", "-c2:EFI-SYSTEM", "-n3:0:0", "-A3:set:59"},
	"no partitions": {"-o"},
	"to the last":   {"-a1", "-n1:34:0"},
	"8 entries":     {"-S8", "-n2:0:0"},
	"256 entries":   {"-S256", "-n200:0:0"},
	"table moved":   {"-j1000", "-n1:0:+1M"},
	"cosa's GUID":   {"-U00000000-0000-4000-a000-000000000001", "-n1:0:0"},
}

// makeTables makes files with all tables, and bytes that matter where a boot loader
// would be.
func makeTables(t *testing.T, r *rand.Rand) map[string]string {
	t.Helper()
	files, commands := map[string]string{}, [][]string{}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		file := filepath.Join(t.TempDir(), "disk")
		size := 16<<20 + 512*r.IntN(5000)
		content := append(randomBytes(r, 446), make([]byte, size-446)...)
		writeExtents(t, file, content, []view.Extent{{Start: 0, End: 446}})
		files[name] = file
		commands = append(commands, slices.Concat([]string{"sgdisk"}, tables[name], []string{file}))
	}
	runAll(t, commands)
	return files
}

// sizesToGrowTo are a few for any table; and for one those that touch what changes:
// the old backup, odd sizes, the limits of CHS (8 GB) and of the MBR (2 TiB).
func sizesToGrowTo(name string, old int64) []int64 {
	sizes := []int64{old, old + 33*512, old + 40<<20}
	if name == "coreos" {
		const chs, mbr = 1024 * 255 * 63 * 512, 2 << 40
		sizes = append(sizes, old+1, old+512, old+20*512+7, chs-512, chs, chs+512, mbr-1024, mbr-512, mbr, mbr+512, 3<<40)
	}
	return sizes
}

// The view is to the byte what sgdisk -e makes of a grown copy, whatever the table.
func TestGrowGPTIsSgdisk(t *testing.T) {
	need.Tool(t, "sgdisk")
	theirs, commands := map[string]view.Image{}, [][]string{}
	for name, file := range makeTables(t, rand.New(rand.NewPCG(1, 2))) {
		im := openFile(t, file)
		for _, size := range sizesToGrowTo(name, im.Size()) {
			grown, err := view.GrowGPT(im, size, 512)
			if err != nil {
				t.Fatalf("%s to %d: %v", name, size, err)
			}
			copied := writeSparse(t, im, size)
			theirs[copied] = grown
			commands = append(commands, []string{"sgdisk", "-e", copied})
		}
	}
	runAll(t, commands)
	for file, grown := range theirs {
		want := openFile(t, file)
		if grown.Size() != want.Size() {
			t.Errorf("size %d, want %d", grown.Size(), want.Size())
		}
		checkNext(t, grown)
		sameData(t, grown, want)
		sameData(t, want, grown)
	}
}

// sgdisk has nothing to say against a grown disk.
func TestGrowGPTIsSound(t *testing.T) {
	need.Tool(t, "sgdisk")
	for name, file := range makeTables(t, rand.New(rand.NewPCG(3, 4))) {
		im := openFile(t, file)
		grown, err := view.GrowGPT(im, 10<<30, 512)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "sgdisk", "-v", writeSparse(t, grown, 0)).CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("No problems found")) {
			t.Errorf("%s: sgdisk -v: %v\n%s", name, err, out)
		}
	}
}

// sameData says where b differs from a's data.
func sameData(t *testing.T, a, b view.Image) {
	t.Helper()
	for e, ok := a.Next(0); ok; e, ok = a.Next(e.End) {
		x, y := make([]byte, e.End-e.Start), make([]byte, e.End-e.Start)
		_, errX := a.ReadAt(x, e.Start)
		_, errY := b.ReadAt(y, e.Start)
		if errX != nil && !errors.Is(errX, io.EOF) || errY != nil && !errors.Is(errY, io.EOF) {
			t.Fatal(errX, errY)
		}
		for i := range x {
			if x[i] != y[i] {
				t.Fatalf("size %d: byte %d (sector %d): %#x and %#x", a.Size(), e.Start+int64(i), (e.Start+int64(i))/512, x[i], y[i])
			}
		}
	}
}

// Without sgdisk: the result is the table that one would have made on the larger
// disk, except that the old backup is still there.
func TestGrowGPTIsTheLargerDisk(t *testing.T) {
	for _, sector := range []int{512, 4096} {
		for _, more := range []int{0, 1, 7, 300} {
			t.Run(fmt.Sprint(sector, "+", more), func(t *testing.T) {
				before := small(sector)
				after := before
				after.sectors += more
				old := before.disk()
				grown, err := view.GrowGPT(view.Bytes(old), int64(after.sectors*sector), sector)
				if err != nil {
					t.Fatal(err)
				}
				want := after.disk()
				// The old backup is free space now, as far as the new one isn't there.
				free, end := (before.sectors-before.firstUsable+1)*sector, (after.sectors-after.firstUsable+1)*sector
				copy(want[free:max(free, end)], old[min(len(old), free):])
				got, err := io.ReadAll(view.Reader(t.Context(), grown))
				if err != nil {
					t.Fatal(err)
				}
				if more == 0 {
					want = old
				} else {
					copy(want[446:462], got[446:462]) // CHS: compared with sgdisk's
				}
				if !bytes.Equal(got, want) {
					t.Error("other bytes")
				}
			})
		}
	}
}

// What is damaged is refused: any byte of the tables that is another one.
func TestGrowGPTRefusesDamage(t *testing.T) {
	for _, sector := range []int{512, 4096} {
		disk := small(sector).disk()
		backup := len(disk) - sector
		for _, at := range []int{
			450, 454, 462, 510, // the MBR's entry, another one, its mark
			sector, sector + 8, sector + 12, sector + 16, sector + 24, sector + 32, sector + 40, sector + 48, sector + 72, sector + 80, sector + 88,
			2 * sector, 2*sector + 128*128 - 1,
			backup, backup + 16, backup + 32, backup + 56,
			backup - 1, backup - 128*128,
		} {
			b := bytes.Clone(disk)
			b[at] ^= 0x40
			refused(t, fmt.Sprintf("sectors of %d, byte %d", sector, at), b, int64(len(b))+1<<20, sector)
		}
	}
}

// Nonsense with right CRCs is refused, too.
func TestGrowGPTRefusesNonsense(t *testing.T) {
	good := small(512)
	for name, change := range map[string]func(*table){
		"partition before":    func(t *table) { t.partitions = [][2]int{{33, 40}} },
		"partition after":     func(t *table) { t.partitions = [][2]int{{40, t.sectors}} },
		"partition backwards": func(t *table) { t.partitions = [][2]int{{40, 39}} },
		"usable too early":    func(t *table) { t.firstUsable-- },
		"no entries":          func(t *table) { t.entries = 0 },
	} {
		bad := good
		change(&bad)
		refused(t, name, bad.disk(), 1<<20, 512)
	}
	disk := good.disk()
	for at, value := range map[int]byte{24: 9, 32: 1, 47: 0x80, 55: 0x80, 79: 0x80, 83: 0x80, 84: 129} {
		b := bytes.Clone(disk)
		b[512+at] = value
		seal(b[512:])
		refused(t, fmt.Sprintf("byte %d of the header", at), b, 1<<20, 512)
	}
	refused(t, "the wrong sector size", disk, 1<<20, 4096)
	refused(t, "an odd sector size", disk, 1<<20, 520)
	refused(t, "to less", disk, int64(len(disk))-1, 512)
	refused(t, "an empty disk", nil, 1<<20, 512)
	refused(t, "a disk that was cut", disk[:len(disk)-512], 1<<20, 512)
}

// A sound backup of another table says that one of the two is out of date.
func TestGrowGPTRefusesAnotherBackup(t *testing.T) {
	good := small(512)
	for name, change := range map[string]func(backup []byte){
		"another primary's place": func(b []byte) { b[32] = 2 },
		"another first usable":    func(b []byte) { b[40]++ },
		"another last usable":     func(b []byte) { b[48]-- },
		"another disk":            func(b []byte) { b[56]++ },
	} {
		disk := good.disk()
		backup := disk[len(disk)-512:]
		change(backup)
		seal(backup)
		refused(t, name, disk, 1<<20, 512)
	}
	other := good
	other.partitions = [][2]int{{40, 41}}
	disk, from := good.disk(), (good.last()+1)*512
	copy(disk[from:], other.disk()[from:])
	refused(t, "other partitions", disk, 1<<20, 512)
}

// Tools such as sfdisk keep much room at the start and little at the end. sgdisk -e
// makes both alike, for which a disk that grows by little has no room.
func TestGrowGPTTooLittle(t *testing.T) {
	lopsided := small(512)
	lopsided.firstUsable, lopsided.lastUsable = 100, lopsided.sectors-34
	lopsided.partitions = [][2]int{{100, lopsided.lastUsable}}
	disk := lopsided.disk()
	refused(t, "not at all", disk, int64(len(disk)), 512)
	refused(t, "by 65 sectors", disk, int64(len(disk))+65*512, 512)
	if _, err := view.GrowGPT(view.Bytes(disk), int64(len(disk))+66*512, 512); err != nil {
		t.Errorf("by 66 sectors: %v", err)
	}
	lopsided.partitions = nil
	refused(t, "no partitions, the last usable sector before the first", lopsided.disk(), int64(len(disk)), 512)
}

func refused(t *testing.T, name string, disk []byte, size int64, sector int) {
	t.Helper()
	if _, err := view.GrowGPT(view.Bytes(disk), size, sector); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("%s: %v, want ErrInvalid", name, err)
	}
}

// A disk that can't be read isn't said to be damaged.
func TestGrowGPTPassesErrors(t *testing.T) {
	bad := failing{disk{1 << 20, nil}, fs.ErrPermission}
	if _, err := view.GrowGPT(bad, 2<<20, 512); !errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrInvalid) {
		t.Errorf("%v, want ErrPermission", err)
	}
}
