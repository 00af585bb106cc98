package test

import (
	"os"
	"path/filepath"
	"testing"
)

// The same inputs and version on two clean working directories give the same
// commit. What differs between the base disks is told.
func TestSameInputsSameCommit(t *testing.T) {
	t.Parallel()
	needAll(t)
	var commits, disks []string
	for range 2 {
		e := newEnv(t)
		e.cosafs("build", "--version", "7.1", "qemu")
		commits = append(commits, e.meta("7.1").Commit)
		disks = append(disks, e.baseDisk())
	}
	if commits[0] != commits[1] {
		t.Errorf("commits differ: %s and %s", commits[0], commits[1])
	}
	a, err := os.ReadFile(disks[0])
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(disks[1])
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("base disks of %d and %d bytes differ in these numbers of 4 KiB blocks: %v", len(a), len(b), differences(a, b))
}

func (e *env) baseDisk() string {
	e.Helper()
	disks, err := filepath.Glob(filepath.Join(e.work, "cache", "cosafs", "base", "*", "disk.raw"))
	if err != nil || len(disks) != 1 {
		e.Fatalf("base disks: %v, %v; want one", disks, err)
	}
	return disks[0]
}

// differences counts differing 4 KiB blocks by the partition they lie in.
func differences(a, b []byte) map[string]int {
	const block, mib = 4096, 1 << 20
	parts := []struct {
		name string
		end  int
	}{{"partition table", mib}, {"BIOS-BOOT", 2 * mib}, {"EFI-SYSTEM", 129 * mib}, {"boot", 513 * mib}, {"root", 1 << 62}}
	diff := map[string]int{}
	for off := 0; off < min(len(a), len(b)); off += block {
		if string(a[off:min(off+block, len(a))]) == string(b[off:min(off+block, len(b))]) {
			continue
		}
		for _, p := range parts {
			if off < p.end {
				diff[p.name]++
				break
			}
		}
	}
	return diff
}
