package index_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cosafs/index"
)

func parseMeta(tb testing.TB, data []byte) *index.Meta {
	tb.Helper()
	m, err := index.ParseMeta(data)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func meta(tb testing.TB, doc string) *index.Meta {
	tb.Helper()
	return parseMeta(tb, []byte(doc))
}

func TestMetaGetters(t *testing.T) {
	m := parseMeta(t, testdata(t, "meta-valid.json"))
	repeat := func(s string) string { return strings.Repeat(s, 64) }
	for _, tc := range []struct{ name, got, want string }{
		{"BuildID", string(m.BuildID()), "41.20250102.dev.1"},
		{"Arch", string(m.Arch()), "x86_64"},
		{"Name", m.Name(), "fedora-coreos"},
		{"Ref", m.Ref(), "fedora/x86_64/coreos/testing-devel"},
		{"Version", m.Version(), "41.20250102.dev.1"},
		{"Commit", m.Commit(), repeat("a")},
		{"ContentChecksum", m.ContentChecksum(), repeat("e")},
		{"InputHash", m.InputHash(), repeat("f")},
		{"ImageConfigChecksum", m.ImageConfigChecksum(), repeat("1")},
		{"ImageInputChecksum", m.ImageInputChecksum(), repeat("2")},
		{"Timestamp", m.Timestamp().Format(time.RFC3339), "2025-01-02T03:00:00Z"},
		{"BuildTime", m.BuildTime().Format(time.RFC3339), "2025-01-02T03:04:00Z"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s = %q, want %q", tc.name, tc.got, tc.want)
		}
	}
	if m.GenVer() != 0 || m.DelayedMerge() {
		t.Errorf("GenVer %d, DelayedMerge %t", m.GenVer(), m.DelayedMerge())
	}
}

func TestConfigGit(t *testing.T) {
	for doc, want := range map[string]string{
		`{"commit": "0123456789abcdef", "origin": "x", "branch": "main", "dirty": "true"}`:  "main (0123456789ab) (dirty)",
		`{"commit": "0123456789abcdef", "origin": "x", "branch": "main", "dirty": "false"}`: "main (0123456789ab)",
		`{"commit": "0123456", "origin": "x", "branch": "main"}`:                            "main (0123456)",
		`{"commit": "0123456789abcdef", "origin": "x"}`:                                     "0123456789abcdef",
	} {
		git, ok := meta(t, `{"coreos-assembler.container-config-git": `+doc+`}`).ConfigGit()
		if !ok || git.String() != want {
			t.Errorf("%s is %q, %t; want %q", doc, git, ok, want)
		}
	}
	if git, ok := meta(t, `{}`).ConfigGit(); ok {
		t.Errorf("without the key: %q", git)
	}
}

func TestOddMeta(t *testing.T) {
	m := parseMeta(t, testdata(t, "meta-odd.json"))
	if ns, ok := m.Stamp(); !ok || ns != 1735787045123456789 {
		t.Errorf("Stamp = %d, %t: not exact", ns, ok)
	}
	if m.GenVer() != 2 {
		t.Errorf("GenVer as a string = %d", m.GenVer())
	}
	if !m.BuildTime().Equal(m.Timestamp()) || m.BuildTime().IsZero() {
		t.Errorf("BuildTime %v does not fall back to %v", m.BuildTime(), m.Timestamp())
	}
	if dup, _ := m.Get("dup"); string(dup) != "2" {
		t.Errorf("of two values the last one counts, got %s", dup)
	}
	if amis, ok := m.Get("amis"); !ok || string(amis) != `{"us-east-1": {"hvm": "ami-1"}}` {
		t.Errorf("amis = %s", amis)
	}
	images := m.Images()
	if len(images) != 3 || images[0].Kind != "ostree" || images[1].Kind != "live-iso" || images[2].Kind != "evil" {
		t.Fatalf("Images() = %v", images)
	}
	if images[0].Size != 700000000 || images[1].Size != -1 || images[2].Size != -1 {
		t.Errorf("sizes %d, %d, %d", images[0].Size, images[1].Size, images[2].Size)
	}
	if file, err := images[0].File(); err != nil || file != "fedora-coreos-41.20250101.dev.0-ostree.x86_64.tar" {
		t.Errorf("a path of another build: %q, %v", file, err)
	}
}

func TestImageFile(t *testing.T) {
	for _, path := range []string{"", ".", "..", "../../etc/passwd", "/etc/passwd", "a/b", "a\x00b"} {
		if file, err := (index.Image{Kind: "qemu", Path: path}).File(); !errors.Is(err, fs.ErrInvalid) || file != "" {
			t.Errorf("File() of %q = %q, %v", path, file, err)
		}
		if err := index.NewMeta().SetImage("qemu", index.Image{Path: path}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("SetImage with %q: %v", path, err)
		}
	}
}

// The first change lays out the document as Python would, and keeps the order of
// keys, the spelling of numbers and even a lone surrogate.
func TestChangedMetaIsPython(t *testing.T) {
	m := meta(t, `{"b":"caf\u00E9 \"x\" \/ é `+"\x7f"+` \ud83d\ude00 \ud800","stamp":1735787045123456789,"r":1.50E+3,
		"dup":1,"e":{},"f":[],"dup":[true,null,"\u0001\b\f\n\r\t\\"]}`)
	if err := m.Set("z", map[string]any{"k": []int{1}}); err != nil {
		t.Fatal(err)
	}
	same(t, `{
    "b": "caf\u00e9 \"x\" / \u00e9 \u007f \ud83d\ude00 \ud800",
    "stamp": 1735787045123456789,
    "r": 1.50E+3,
    "dup": [
        true,
        null,
        "\u0001\b\f\n\r\t\\"
    ],
    "e": {},
    "f": [],
    "z": {
        "k": [
            1
        ]
    }
}`, string(m.Bytes()))
}

func TestSettingTheSameChangesNothing(t *testing.T) {
	data := testdata(t, "meta-odd.json")
	m := parseMeta(t, data)
	m.SetStamp(1735787045123456789)
	m.SeedStamp(time.Unix(1, 0))
	m.Delete("nonesuch")
	if err := m.Set("name", "fedora-coreos"); err != nil {
		t.Fatal(err)
	}
	im, _ := m.Image("live-iso")
	if err := m.SetImage("live-iso", im); err != nil {
		t.Fatal(err)
	}
	same(t, string(data), string(m.Bytes()))
	valid := testdata(t, "meta-valid.json")
	m = parseMeta(t, valid)
	qemu, _ := m.Image("qemu") // has "skip-compression": false
	if err := m.SetImage("qemu", qemu); err != nil {
		t.Fatal(err)
	}
	same(t, string(valid), string(m.Bytes()))
}

// cosa takes a file's modification time in seconds where there is no stamp.
func TestSeedStamp(t *testing.T) {
	m := meta(t, `{"summary": "x"}`)
	m.SeedStamp(time.Unix(1735787045, 5))
	if ns, ok := m.Stamp(); !ok || ns != 1735787045 || m.Summary() != "x" {
		t.Errorf("Stamp = %d, %t", ns, ok)
	}
	for doc, want := range map[string]int64{
		`{"coreos-assembler.meta-stamp": 1.7e18}`: 1_700_000_000_000_000_000, // as a float64 is written
		`{"coreos-assembler.meta-stamp": 1e400}`:  0,
		`{"coreos-assembler.meta-stamp": 1.5}`:    0,
		`{"coreos-assembler.meta-stamp": true}`:   0,
	} {
		if ns, ok := meta(t, doc).Stamp(); ns != want || ok != (want != 0) {
			t.Errorf("%s: Stamp = %d, %t", doc, ns, ok)
		}
	}
}

func TestNothingRecorded(t *testing.T) {
	for _, doc := range []string{`{}`, `{"images": 1}`, `{"images": {"qemu": 1}}`} {
		m := meta(t, doc)
		if im, ok := m.Image("qemu"); ok || len(m.Images()) != 0 {
			t.Errorf("%s has image %v", doc, im)
		}
		if raw, ok := m.Get("name"); ok || !m.BuildTime().IsZero() {
			t.Errorf("%s has name %s, time %v", doc, raw, m.BuildTime())
		}
	}
}

func TestSetImage(t *testing.T) {
	m := parseMeta(t, testdata(t, "meta-odd.json"))
	want := index.Image{
		Kind: "live-iso", Path: "x.iso.gz", SHA256: "12", Size: 5,
		UncompressedSHA256: "34", UncompressedSize: 9, SkipCompression: true,
	}
	if err := m.SetImage("live-iso", want); err != nil {
		t.Fatal(err)
	}
	got, ok := parseMeta(t, m.Bytes()).Image("live-iso")
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(m.Bytes()), `"x-extra": [`) {
		t.Error("a key of the entry that we don't know was lost")
	}
	plain := index.Image{Kind: "live-iso", Path: "x.iso", SHA256: "34", Size: -1, UncompressedSize: -1}
	if err := m.SetImage("live-iso", plain); err != nil {
		t.Fatal(err)
	}
	got, _ = m.Image("live-iso")
	if diff := cmp.Diff(plain, got); diff != "" {
		t.Errorf("what is not known any more stays recorded:\n%s", diff)
	}
	if err := meta(t, `{"images": []}`).SetImage("qemu", plain); !errors.Is(err, index.ErrSchema) {
		t.Errorf("images is a list: %v", err)
	}
}

func TestCloneIsApart(t *testing.T) {
	data := testdata(t, "meta-valid.json")
	m := parseMeta(t, data)
	c := m.Clone()
	if err := c.SetImage("qemu", index.Image{Path: "other", Size: -1}); err != nil {
		t.Fatal(err)
	}
	m.Delete("summary") // not there
	if im, _ := m.Image("qemu"); im.Path == "other" {
		t.Error("a change of the clone changed the original")
	}
	same(t, string(data), string(m.Bytes()))
}

func TestSetRefusesWhatIsNoJSON(t *testing.T) {
	m := index.NewMeta()
	if err := m.Set("f", func() {}); err == nil {
		t.Error("a func was set")
	}
	same(t, "{}", string(m.Bytes()))
}

func TestSyntaxErrors(t *testing.T) {
	valid := testdata(t, "meta-valid.json")
	for n := range len(valid) {
		if _, err := index.ParseMeta(valid[:n]); !errors.Is(err, index.ErrSyntax) {
			t.Fatalf("cut short after %d bytes: %v", n, err)
		}
	}
	for name, in := range map[string]string{
		"two documents":     `{}{}`,
		"byte order mark":   "\ufeff{}",
		"not UTF-8":         "{\"a\": \"\xff\"}",
		"control character": "{\"a\": \"\x01\"}",
		"bad escape":        `{"a": "\x"}`,
		"leading zero":      `{"a": 01}`,
		"NaN":               `{"a": NaN}`,
		"nested too deep":   `{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`,
		"deep and unclosed": strings.Repeat(`{"a":[`, 1_000_000),
	} {
		_, err := index.ParseMeta([]byte(in))
		if !errors.Is(err, index.ErrSyntax) {
			t.Errorf("%s: %v", name, err)
		}
	}
	deepest := `{"a":` + strings.Repeat("[", 999) + strings.Repeat("]", 999) + `}`
	if got := meta(t, deepest); string(got.Bytes()) != deepest {
		t.Error("the deepest document allowed is not read")
	}
	if _, err := index.ParseMeta([]byte("{\n\"a\": 1,\n}")); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("the error does not say which line is bad: %v", err)
	}
}

func TestCommitMeta(t *testing.T) {
	data := testdata(t, "commitmeta.json")
	c, err := index.ParseCommitMeta(data)
	if err != nil {
		t.Fatal(err)
	}
	if c.Version() != "41.20250102.dev.1" || c.InputHash() != strings.Repeat("f", 64) {
		t.Errorf("version %q, inputhash %q", c.Version(), c.InputHash())
	}
	want := []index.Package{
		{Name: "bash", Epoch: "0", Version: "5.2.32", Release: "1.fc41", Arch: "x86_64"},
		{Name: "grub2-tools", Epoch: "1", Version: "2.12", Release: "10.fc41", Arch: "x86_64"},
	}
	if diff := cmp.Diff(want, c.Packages()); diff != "" {
		t.Error(diff)
	}
	same(t, string(data), string(c.Bytes()))
}

func TestCommitMetaPackageForms(t *testing.T) {
	for row, epoch := range map[string]string{
		`["a", 2, "1", "1", "noarch"]`:    "2",
		`["a", null, "1", "1", "noarch"]`: "0",
		`["a", "", "1", "1", "noarch"]`:   "0",
		`["a", "1", "1", "noarch"]`:       "", // too short
		`["a", "1", 1, "1", "noarch"]`:    "", // a version is no number
		`["a", [], "1", "1", "noarch"]`:   "",
		`{}`:                              "",
	} {
		c, err := index.ParseCommitMeta([]byte(`{"rpmostree.rpmdb.pkglist": [` + row + `]}`))
		switch {
		case epoch == "" && !errors.Is(err, index.ErrSchema):
			t.Errorf("%s: %v", row, err)
		case epoch != "" && (err != nil || c.Packages()[0].Epoch != epoch):
			t.Errorf("%s: %v, want epoch %s", row, err, epoch)
		}
	}
}
