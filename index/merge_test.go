package index_test

import (
	"errors"
	"strings"
	"testing"

	"cosafs/index"
)

func TestMerge(t *testing.T) {
	stamp := func(n, rest string) string { return `{"coreos-assembler.meta-stamp": ` + n + rest + `}` }
	for _, tc := range []struct{ name, disk, mine, want string }{
		{
			"equal stamps take mine, deletions too",
			stamp("5", `, "a": 1, "b": 2`), stamp("5", `, "a": 3`),
			stamp("5", `, "a": 3`),
		},
		{
			"newer disk wins, additions of mine stay",
			stamp("1735787045123456790", `, "a": 1, "o": {"x": 1}`), stamp("1735787045123456789", `, "a": 2, "o": {"y": 2, "x": 3}, "b": 4`),
			stamp("1735787045123456790", `, "a": 1, "o": {"x": 1, "y": 2}, "b": 4`),
		},
		{
			"newer mine wins, what I deleted comes back",
			stamp("5", `, "a": 1, "gone": true`), stamp("6", `, "a": 2`),
			stamp("6", `, "a": 2, "gone": true`),
		},
		{
			"lists are concatenated without duplicates",
			stamp("6", `, "l": [{"n": 1, "m": 2}, "s"]`), stamp("5", `, "l": ["s", {"m": 2, "n": 1}, {"n": 9}]`),
			stamp("6", `, "l": [{"n": 1, "m": 2}, "s", {"n": 9}]`),
		},
		{
			"an equal list is left alone",
			stamp("6", `, "l": [1, 1]`), stamp("5", `, "l": [1, 1]`),
			stamp("6", `, "l": [1, 1]`),
		},
		{
			"types that differ have no union",
			stamp("6", `, "amis": {"r": 1}`), stamp("5", `, "amis": [1]`),
			stamp("6", `, "amis": {"r": 1}`),
		},
		{
			"a missing stamp is the oldest",
			`{"a": 1, "b": 2}`, stamp("5", `, "a": 3`),
			stamp("5", `, "a": 3, "b": 2`),
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			disk, mine := meta(t, tc.disk), meta(t, tc.mine)
			got, err := index.Merge(disk, mine)
			if err != nil {
				t.Fatal(err)
			}
			same(t, layout(t, tc.want), layout(t, string(got.Bytes())))
			got.Delete("o")
			same(t, tc.disk+tc.mine, string(disk.Bytes())+string(mine.Bytes()))
		})
	}
}

// layout brings a document into the layout that follows a change.
func layout(t *testing.T, doc string) string {
	t.Helper()
	m := meta(t, doc)
	m.SetStamp(-1)
	s, _ := meta(t, doc).Get("coreos-assembler.meta-stamp")
	return strings.Replace(string(m.Bytes()), "-1", string(s), 1)
}

func TestMergeGuards(t *testing.T) {
	for name, tc := range map[string]struct {
		disk, mine string
		want       error
	}{
		"other commit":    {`{"ostree-commit": "a"}`, `{"ostree-commit": "b"}`, index.ErrConflict},
		"commit missing":  {`{"ostree-commit": "a"}`, `{}`, index.ErrConflict},
		"commit is new":   {`{}`, `{"ostree-commit": "a"}`, nil},
		"other content":   {`{"ostree-content-checksum": "a"}`, `{"ostree-content-checksum": "b"}`, index.ErrConflict},
		"other image":     {`{"coreos-assembler.image-config-checksum": "a"}`, `{}`, index.ErrConflict},
		"other config":    {`{"coreos-assembler.container-config-git": {"commit": "a"}}`, `{}`, index.ErrConflict},
		"only its branch": {`{"coreos-assembler.container-config-git": {"commit": "a", "branch": "x"}}`, `{"coreos-assembler.container-config-git": {"commit": "a"}}`, nil},
	} {
		if _, err := index.Merge(meta(t, tc.disk), meta(t, tc.mine)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

// Concurrent extend steps: whoever comes second finds the other's image on disk.
func TestMergeKeepsImagesOfBoth(t *testing.T) {
	base := parseMeta(t, testdata(t, "meta-valid.json"))
	metal, aws := base.Clone(), base.Clone()
	for kind, m := range map[index.Kind]*index.Meta{"metal": metal, "aws": aws} {
		if err := m.SetImage(kind, index.Image{Path: string(kind), SHA256: "00", Size: 1, UncompressedSize: -1}); err != nil {
			t.Fatal(err)
		}
	}
	metal.SetStamp(1735787045123456790)
	got, err := index.Merge(metal, aws)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []index.Kind{"ostree", "qemu", "metal", "aws"} {
		if _, ok := got.Image(kind); !ok {
			t.Errorf("%s is lost", kind)
		}
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
}
