package index_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cosafs/index"
)

func testdata(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func parseBuilds(tb testing.TB, data []byte) *index.Builds {
	tb.Helper()
	b, err := index.ParseBuilds(data)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// same compares documents as JSON and shows what differs.
func same(tb testing.TB, want, got string) {
	tb.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("document differs (-want +got):\n%s", diff)
	}
}

func ids(b *index.Builds) []index.BuildID {
	var all []index.BuildID
	for _, e := range b.Entries() {
		all = append(all, e.ID)
	}
	return all
}

func TestBuildsQueries(t *testing.T) {
	b := parseBuilds(t, testdata(t, "builds-cleanup.json"))
	if got := b.Latest(); got != "41.20250103.dev.0" {
		t.Errorf("Latest() = %q", got)
	}
	for arch, want := range map[index.Arch]index.BuildID{
		"x86_64": "41.20250102.dev.1", "aarch64": "41.20250103.dev.0", "s390x": "",
	} {
		if got := b.LatestFor(arch); got != want {
			t.Errorf("LatestFor(%s) = %q, want %q", arch, got, want)
		}
	}
	if diff := cmp.Diff([]index.Arch{"x86_64", "aarch64"}, b.Arches("41.20250102.dev.1")); diff != "" {
		t.Error(diff)
	}
	if b.Has("40.20240101.dev.0") {
		t.Error("a tombstone counts as a build")
	}
	if got := b.Tombstones(); len(got) != 1 || got[0].ID != "40.20240101.dev.0" {
		t.Errorf("Tombstones() = %v", got)
	}
	if want := time.Date(2025, 1, 3, 3, 4, 5, 0, time.UTC); !b.Timestamp().Equal(want) {
		t.Errorf("Timestamp() = %v", b.Timestamp())
	}
	if got := index.Dir(b, "41.20250102.dev.1", "x86_64"); got != "41.20250102.dev.1/x86_64" {
		t.Errorf("Dir = %q", got)
	}
}

func TestCleanupKeeps(t *testing.T) {
	b := parseBuilds(t, testdata(t, "builds-cleanup.json"))
	for _, tc := range []struct {
		id   index.BuildID
		kind index.Kind
		want bool
	}{
		{"41.20250102.dev.1", "metal", true},
		{"41.20250101.dev.0", "qemu", true},
		{"41.20250101.dev.0", "metal", false},
		{"41.20241231.dev.0", "metal", true}, // list form: cloud uploads only
		{"41.20241230.dev.0", "qemu", false}, // the whole build is gone
	} {
		e, ok := b.Entry(tc.id)
		if got := e.Cleanup.Keeps(tc.kind); !ok || got != tc.want {
			t.Errorf("%s keeps %s = %t, want %t", tc.id, tc.kind, got, tc.want)
		}
	}
	if e, _ := b.Entry("41.20241231.dev.0"); !e.Cleanup.CloudUploads {
		t.Error("policy-cleanup as a list is not understood")
	}
}

func TestLegacyBuilds(t *testing.T) {
	data := testdata(t, "builds-legacy.json")
	b := parseBuilds(t, data)
	if !b.Legacy() || b.Latest() != "30.2" || b.LatestFor("x86_64") != "30.2" {
		t.Errorf("Legacy %t, Latest %q", b.Legacy(), b.Latest())
	}
	if got := index.Dir(b, "30.1", "x86_64"); got != "30.1" {
		t.Errorf("Dir = %q, want no architecture", got)
	}
	if err := b.Insert("30.3", "x86_64"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Insert: %v", err)
	}
	same(t, string(data), string(b.Bytes()))
	if n := b.Remove("30.2"); n != 1 || b.Latest() != "30.1" {
		t.Errorf("Remove = %d, Latest = %q", n, b.Latest())
	}
}

// Names that would lead out of the build directory are never handed out.
func TestHostileBuilds(t *testing.T) {
	data := testdata(t, "builds-hostile.json")
	b := parseBuilds(t, data)
	if diff := cmp.Diff([]index.BuildID{"ok.1"}, ids(b)); diff != "" {
		t.Error(diff)
	}
	problems := b.Problems()
	if len(problems) != 8 {
		t.Fatalf("%d problems: %v", len(problems), problems)
	}
	if !errors.Is(problems[0], fs.ErrInvalid) || !errors.Is(problems[7], index.ErrSchema) {
		t.Errorf("problems: %v", problems)
	}
	same(t, string(data), string(b.Bytes()))
}

func TestInsert(t *testing.T) {
	b := index.NewBuilds()
	for _, step := range []struct {
		id   index.BuildID
		arch index.Arch
		want error
	}{
		{"1", "x86_64", nil},
		{"2", "x86_64", nil},
		{"1", "aarch64", nil},
		{"1", "x86_64", fs.ErrExist},
		{"../3", "x86_64", fs.ErrInvalid},
		{"3", "", fs.ErrInvalid},
	} {
		if err := b.Insert(step.id, step.arch); !errors.Is(err, step.want) {
			t.Errorf("Insert(%s, %s) = %v, want %v", step.id, step.arch, err, step.want)
		}
	}
	b.Bump(time.Date(2025, 1, 2, 3, 4, 5, 678, time.UTC))
	same(t, `{
    "schema-version": "1.0.0",
    "builds": [
        {
            "id": "2",
            "arches": [
                "x86_64"
            ]
        },
        {
            "id": "1",
            "arches": [
                "x86_64",
                "aarch64"
            ]
        }
    ],
    "timestamp": "2025-01-02T03:04:05Z"
}`, string(b.Bytes()))
}

// builds-cleanup.json is as Python writes it, so a change there and back must
// give the same bytes: unknown keys, their order and number spelling included.
func TestEditKeepsTheRest(t *testing.T) {
	data := testdata(t, "builds-cleanup.json")
	b := parseBuilds(t, data)
	if err := b.Insert("41.20250104.dev.0", "x86_64"); err != nil {
		t.Fatal(err)
	}
	if err := b.Insert("41.20250101.dev.0", "s390x"); err != nil {
		t.Fatal(err)
	}
	if err := b.SetTag("temp", "41.20250104.dev.0", time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	if string(b.Bytes()) == string(data) {
		t.Fatal("nothing changed")
	}
	if b.Remove("41.20250104.dev.0", "unknown") != 1 || !b.RemoveArch("41.20250101.dev.0", "s390x") || !b.DeleteTag("temp") {
		t.Error("removing what was added failed")
	}
	same(t, string(data), string(b.Bytes()))
}

// A list may hold what cosa never wrote; edits step around it.
func TestEditDamagedList(t *testing.T) {
	b := parseBuilds(t, []byte(`{"schema-version": "1.0.0", "builds": ["old", 7], "tags": [7, {"name": ""}, {"name": "a", "target": "/"}]}`))
	if err := b.Insert("old", "x86_64"); !errors.Is(err, index.ErrSchema) {
		t.Errorf("a build was listed twice: %v", err)
	}
	if b.Remove("old") != 1 || b.Latest() != "" || len(b.Entries()) != 0 {
		t.Errorf("Latest() = %q of an empty list", b.Latest())
	}
	if tags := b.Tags(); len(tags) != 0 {
		t.Errorf("Tags() = %v", tags)
	}
	if err := b.SetTag("", "old", time.Unix(0, 0)); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a tag without name: %v", err)
	}
	if !b.DeleteTag("a") {
		t.Error("a tag with a bad target can't be deleted")
	}
}

func TestRemoveArch(t *testing.T) {
	b := parseBuilds(t, testdata(t, "builds-cleanup.json"))
	if b.RemoveArch("41.20250103.dev.0", "x86_64") {
		t.Error("removed an architecture that was not there")
	}
	if !b.RemoveArch("41.20250103.dev.0", "aarch64") || b.Has("41.20250103.dev.0") {
		t.Error("a build without architectures stays listed")
	}
}

func TestTags(t *testing.T) {
	b := parseBuilds(t, testdata(t, "builds-cleanup.json"))
	now := time.Date(2025, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := b.SetTag("good", "41.20250102.dev.1", now); err != nil {
		t.Fatal(err)
	}
	if err := b.SetTag("new", "41.20250103.dev.0", now); err != nil {
		t.Fatal(err)
	}
	if err := b.SetTag("bad", "../x", now); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("SetTag to ../x: %v", err)
	}
	want := []index.Tag{
		{Name: "good", Target: "41.20250102.dev.1", Created: now, Description: "boots"},
		{Name: "new", Target: "41.20250103.dev.0", Created: now},
	}
	if diff := cmp.Diff(want, parseBuilds(t, b.Bytes()).Tags()); diff != "" {
		t.Error(diff)
	}
	var doc struct{ Tags []map[string]string }
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil || doc.Tags[0]["x-by"] != "ci" {
		t.Errorf("moving a tag lost a key it does not know: %v, %v", doc.Tags, err)
	}
	if b.DeleteTag("nonesuch") {
		t.Error("deleted a tag that was not there")
	}
}

func TestParseBuildsErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want error
	}{
		"empty":            {"", index.ErrSyntax},
		"cut short":        {`{"schema-version": "1.0.0", "bui`, index.ErrSyntax},
		"list":             {`[]`, index.ErrSchema},
		"builds an object": {`{"builds": {}}`, index.ErrSchema},
		"version 2":        {`{"schema-version": "2.0.0", "builds": []}`, errors.ErrUnsupported},
		"version number":   {`{"schema-version": 1, "builds": []}`, errors.ErrUnsupported},
	} {
		if _, err := index.ParseBuilds([]byte(tc.in)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"41.20250102.dev.1": true, "a..b": true, "é": true, "a b": true,
		"": false, ".": false, "..": false, "a/b": false, "/": false, "a\x00": false, "a\nb": false,
		string(make([]byte, 300)): false,
	} {
		if got := index.ValidName(name); got != want {
			t.Errorf("ValidName(%q) = %t", name, got)
		}
	}
}
