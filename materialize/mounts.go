package materialize

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unmountBelow detaches every mount at or below path, newest first, and says how
// many. It fails while one is left.
func unmountBelow(path string) (int, error) {
	points, err := mountsBelow(path)
	if err != nil {
		return 0, err
	}
	for _, p := range slices.Backward(points) {
		if err := unix.Unmount(p, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return 0, fmt.Errorf("unmount %s: %w", p, err)
		}
	}
	left, err := mountsBelow(path)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("still mounted: %s: %w", left[0], unix.EBUSY)
	}
	return len(points), err
}

// mountsBelow lists mount points at or below path, which has no links in it.
func mountsBelow(path string) ([]string, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var below []string
	for _, p := range parseMounts(data) {
		if p == path || strings.HasPrefix(p, path+"/") {
			below = append(below, p)
		}
	}
	return below, nil
}

// parseMounts gives the mount points of a mountinfo file (proc_pid_mountinfo(5):
// the fifth field), in the order of mounting.
func parseMounts(data []byte) []string {
	var points []string
	for line := range bytes.Lines(data) {
		if fields := strings.Fields(string(line)); len(fields) > 4 {
			points = append(points, unescapeOctal(fields[4]))
		}
	}
	return points
}

// unescapeOctal undoes the kernel's \040 for blanks and such.
func unescapeOctal(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
