package disk

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cosafs/materialize"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	// fixedSize is what the partition table and all partitions but the root take.
	fixedSize = 513 * mib
	// xfsLog is the smallest log of mkfs.xfs since 5.19, which cosa's formula
	// doesn't know of, and xfsMin the smallest file system that it makes.
	xfsLog = 64 * mib
	xfsMin = 304 * mib
)

// A commit is what has to be known of one to write a disk.
type commit struct {
	size     int64     // estimate of the space that its files take, in bytes
	ignition bool      // its first boot runs Ignition
	time     time.Time // of the commit
}

// inspect asks ostree about the commit, which reads its directories only.
func inspect(ctx context.Context, t *materialize.Task, repo, checksum string) (commit, error) {
	shown, err := materialize.Tool{Op: writeOp, Name: "ostree"}.Output(ctx, t, "--repo="+repo, "show", checksum)
	if err != nil {
		return commit{}, err
	}
	when, err := parseDate(shown)
	if err != nil {
		return commit{}, fmt.Errorf("%s: %w", writeOp, err)
	}
	listed, err := materialize.Tool{Op: writeOp, Name: "ostree"}.Output(ctx, t, "--repo="+repo, "ls", "-R", "-C", checksum)
	if err != nil {
		return commit{}, err
	}
	c, err := parseListing(listed)
	if err != nil {
		return commit{}, fmt.Errorf("%s: %w", writeOp, err)
	}
	c.time = when
	return c, nil
}

// parseDate finds the commit's time in what ostree show prints.
func parseDate(shown []byte) (time.Time, error) {
	for line := range strings.Lines(string(shown)) {
		if date, ok := strings.CutPrefix(strings.TrimSpace(line), "Date:"); ok {
			return time.Parse("2006-01-02 15:04:05 -0700", strings.TrimSpace(date))
		}
	}
	return time.Time{}, fmt.Errorf("ostree show: no date in %q", shown)
}

// parseListing reads what ostree ls -R -C prints: mode, owner, group, size,
// checksum (two for a directory) and path. The estimate is cosa's
// (estimate-commit-disk-size): blocks of 4 KiB, inodes of 512 bytes, each object
// once, and 40 % on top.
func parseListing(listed []byte) (commit, error) {
	var c commit
	var blocks, inodes int64
	seen := map[string]bool{}
	for line := range bytes.Lines(listed) {
		field := strings.Fields(string(line))
		if len(field) < 6 {
			return c, fmt.Errorf("ostree ls: cannot read %q", line)
		}
		if field[0][0] == 'd' {
			inodes++
			c.ignition = c.ignition || isIgnition(field[len(field)-1])
			continue
		}
		if seen[field[4]] {
			continue
		}
		seen[field[4]] = true
		size, err := strconv.ParseInt(field[3], 10, 64)
		if err != nil {
			return c, fmt.Errorf("ostree ls: cannot read %q: %w", line, err)
		}
		blocks += (size + 4*kib - 1) / (4 * kib)
		inodes++
	}
	c.size = (blocks*4*kib+inodes*512)*140/100 + mib
	return c, nil
}

// isIgnition says whether a directory is Ignition's dracut module, whose
// number may change.
func isIgnition(path string) bool {
	name, ok := strings.CutPrefix(path, "/usr/lib/dracut/modules.d/")
	return ok && strings.HasSuffix(name, "ignition") && !strings.Contains(name, "/")
}

// diskSize is the size in bytes of a base disk that has room for the commit.
func diskSize(c commit, root string) int64 {
	size := c.size
	if root == "xfs" {
		size = max(size+xfsLog, xfsMin)
	}
	return (size + fixedSize + mib - 1) / mib * mib
}

// fits refuses a disk that would be larger than image.yaml says.
func fits(need int64, s settings) error {
	if need <= s.Size*gib {
		return nil
	}
	return materialize.Fail(materialize.ClassConfig, writeOp,
		fmt.Sprintf("set size in image.yaml to at least %d", (need+gib-1)/gib),
		fmt.Errorf("disk too small: the commit needs %d MiB, size in image.yaml is %d GiB", need/mib, s.Size))
}
