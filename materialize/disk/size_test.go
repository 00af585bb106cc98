package disk

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cosafs/materialize"
)

const listing = `d00755 0 0      0 aa bb /
d00755 0 0      0 aa bb /usr
-00644 0 0      1 c1 /usr/one
-00644 0 0   4096 c2 /usr/page
-00644 0 0   4097 c3 /usr/two pages
-00644 0 0   4097 c3 /usr/same again
l00777 0 0      0 c4 /usr/link -> one
`

func TestListingGivesSize(t *testing.T) {
	c, err := parseListing([]byte(listing))
	if err != nil {
		t.Fatal(err)
	}
	// 1 + 1 + 2 pages, 2 directories and 4 objects, 40 % on top, 1 MiB.
	if want := int64((4*4096+6*512)*140/100 + 1<<20); c.size != want || c.ignition {
		t.Errorf("got %+v, want size %d, no Ignition", c, want)
	}
	c, err = parseListing([]byte(listing + "d00755 0 0 0 aa bb /usr/lib/dracut/modules.d/30ignition\n"))
	if err != nil || !c.ignition {
		t.Errorf("got %+v, %v; want Ignition", c, err)
	}
	if _, err := parseListing([]byte("-00644 0\n")); err == nil {
		t.Error("a torn line is no error")
	}
}

func FuzzParseListing(f *testing.F) {
	f.Add(listing)
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := parseListing([]byte(text)); err == nil && c.size < 1<<20 {
			t.Errorf("size %d", c.size)
		}
	})
}

func TestDate(t *testing.T) {
	got, err := parseDate([]byte("commit aa\nContentChecksum:  bb\nDate:  2023-11-14 22:13:20 +0000\n(no subject)\n"))
	if want := time.Unix(1700000000, 0); err != nil || !got.Equal(want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if _, err := parseDate([]byte("commit aa\n")); err == nil {
		t.Error("no date is no error")
	}
}

func TestDiskTooSmall(t *testing.T) {
	c := commit{size: 3 << 30}
	need := diskSize(c, "xfs")
	err := fits(need, settings{Size: 3})
	var f *materialize.Failure
	if !errors.As(err, &f) || f.Class != materialize.ClassConfig {
		t.Fatalf("got %v, want a failure of ClassConfig", err)
	}
	// 3 GiB, 64 MiB of log, 513 MiB of other partitions.
	for _, want := range []string{"3649 MiB", "3 GiB", "size"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %q", err, want)
		}
	}
	if !strings.Contains(f.Hint, "at least 4") {
		t.Errorf("hint %q does not say which size is enough", f.Hint)
	}
	if err := fits(need, settings{Size: 4}); err != nil {
		t.Error(err)
	}
}

func TestSmallestDisk(t *testing.T) {
	if got := diskSize(commit{size: mib}, "xfs"); got != xfsMin+fixedSize {
		t.Errorf("xfs: got %d; mkfs.xfs makes nothing below %d", got, xfsMin)
	}
	if got := diskSize(commit{size: mib}, "ext4"); got != mib+fixedSize {
		t.Errorf("ext4: got %d", got)
	}
}
