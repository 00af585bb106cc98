package need

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// XFS asks for root and an xfs, whose files can share blocks, and gives a directory on
// one of half a GiB, which is there until the test ends.
func XFS(tb testing.TB) string {
	tb.Helper()
	Tool(tb, "root", "mkfs.xfs", "mount")
	dir := tb.TempDir()
	image, mnt := filepath.Join(dir, "image"), filepath.Join(dir, "mnt")
	if err := os.Mkdir(mnt, 0o755); err != nil {
		tb.Fatal(err)
	}
	run := func(name string, args ...string) {
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			tb.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	run("mkfs.xfs", "-q", "-m", "reflink=1", "-d", "file=1,name="+image+",size=512m")
	run("mount", "-o", "loop", image, mnt)
	tb.Cleanup(func() { run("umount", mnt) })
	return mnt
}
