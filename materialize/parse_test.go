package materialize

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJobIDsSortByTime(t *testing.T) {
	var s idSource
	now := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	var ids []string
	for i := range 200 {
		ids = append(ids, s.next(now.Add(time.Duration(i)*time.Millisecond)))
	}
	ids = append(ids, s.next(now.Add(400*24*time.Hour)))
	if !slices.IsSorted(ids) || len(slices.Compact(ids)) != 201 {
		t.Errorf("ids are not in order, or not unique: %q", ids)
	}
	for _, id := range ids {
		if !validID(id) {
			t.Errorf("validID(%q) = false", id)
		}
	}
	for _, id := range []string{"", "..", "0000000000", "../0000000z", "0000000000A", "0000000000zz"} {
		if validID(id) {
			t.Errorf("validID(%q) = true", id)
		}
	}
}

func TestParseMounts(t *testing.T) {
	const text = `22 1 254:1 / / rw - ext4 /dev/root rw
36 22 0:30 / /tmp/a\040b/x\134y rw,nosuid shared:1 - tmpfs tmpfs rw
short line
`
	want := []string{"/", `/tmp/a b/x\y`}
	if diff := cmp.Diff(want, parseMounts([]byte(text))); diff != "" {
		t.Errorf("mount points (-want +got):\n%s", diff)
	}
}

func TestParseStat(t *testing.T) {
	got, err := parseStat([]byte("42 (a ) Z 1 (b) S 7 40 39 0 -1 4194560\n"))
	want := process{pid: 42, parent: 7, group: 40, state: 'S'}
	if err != nil || got != want {
		t.Errorf("parseStat = %+v, %v; want %+v", got, err, want)
	}
}

func TestFamily(t *testing.T) {
	all := []process{
		{pid: 1}, {pid: 10, parent: 1, group: 10, job: "a"}, // the marked leader
		{pid: 11, parent: 10, group: 11},             // its child, elsewhere
		{pid: 12, parent: 1, group: 11},              // a member of that child's group, orphaned
		{pid: 13, parent: 12, group: 13, state: 'Z'}, // has ended
		{pid: 20, parent: 1, group: 20, job: "b"}, {pid: 21, parent: 20, group: 20},
		{pid: ownPID(), parent: 10, group: 10, job: "a"},
	}
	got := family(all, func(p process) bool { return p.job == "a" })
	if diff := cmp.Diff([]int{10, 11, 12}, got); diff != "" {
		t.Errorf("processes of job a (-want +got):\n%s", diff)
	}
}

func TestLookupEnv(t *testing.T) {
	env := []byte("XCOSAFS_JOB=no\x00COSAFS_JOB=abc=d\x00PATH=/bin\x00")
	if got := lookupEnv(env, JobEnv); got != "abc=d" {
		t.Errorf("lookupEnv = %q", got)
	}
	if got := lookupEnv([]byte("PATH=/bin"), JobEnv); got != "" {
		t.Errorf("lookupEnv of what isn't there = %q", got)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("42 (sh) S 7 40 39 0"))
	f.Add([]byte(")("))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := parseStat(data); err == nil && p.state == 0 {
			t.Errorf("parseStat(%q) = %+v without a state", data, p)
		}
	})
}

func FuzzParseSum(f *testing.F) {
	good := `{"SHA256":"` + strings.Repeat("0f", 32) + `","Size":1,"kind":"azure","build":"1.0","arch":"x86_64","version":"1"}`
	if s, ok := parseSum([]byte(good)); !ok || s.Kind != "azure" {
		f.Fatalf("parseSum(%s) = %+v, %t", good, s, ok)
	}
	f.Add([]byte(good))
	f.Add([]byte(good[:len(good)/2]))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, ok := parseSum(data); ok && len(s.SHA256) != 64 {
			t.Errorf("parseSum(%q) = %+v", data, s)
		}
	})
}

func FuzzParseMounts(f *testing.F) {
	f.Add(`36 22 0:30 / /a\040b rw`)
	f.Add(`1 2 3 4 \04`)
	f.Fuzz(func(t *testing.T, line string) {
		for _, p := range parseMounts([]byte(line)) {
			if len(p) > len(line) || !strings.Contains(line, `\`) && !strings.Contains(line, p) {
				t.Errorf("parseMounts(%q) made up %q", line, p)
			}
		}
	})
}

func FuzzParseInfo(f *testing.F) {
	f.Add([]byte(`{"id":"0123456789a","state":"running","started":"2026-07-28T12:00:00Z"}`))
	f.Add([]byte(`{"id":"../../../etc"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if info, err := parseInfo(data); err == nil && !validID(info.ID) {
			t.Errorf("parseInfo accepted the id %q", info.ID)
		}
	})
}
