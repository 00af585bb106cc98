package workdir

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/materialize"
)

// A variant has a manifest and an image configuration of its own.
func TestVariant(t *testing.T) {
	dir := newDir(t)
	config := filepath.Join(dir, "src", "config")
	put(t, filepath.Join(config, "manifest-dev.yaml"), "repos:\n  - tiny\npackages:\n  - bash\nmetadata:\n  name: tiny-dev\n  summary: Tiny\n")
	put(t, filepath.Join(config, "image-dev.yaml"), "size: 7\n")
	put(t, filepath.Join(config, "tiny.repo"), "[tiny]\nname=tiny\nbaseurl=file:///nowhere\n")
	if err := writeVariant(dir, "dev"); err != nil {
		t.Fatal(err)
	}
	w := openDir(t, dir)
	in, err := w.maker.Inputs(t.Context())
	if err != nil || in.Name != "tiny-dev" || in.Summary != "Tiny" || !strings.Contains(string(in.ImageJSON), `"size":7`) {
		t.Errorf("inputs = %+v, %v", in, err)
	}
	if w.maker.Config.Variant != "dev" {
		t.Errorf("variant = %q", w.maker.Config.Variant)
	}
	n := newBuild(t, w.records, 1)
	n.Variant = "dev"
	if err := w.records.Add(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if got := get(t, w.records.path("1.1/x86_64/meta.json")); !strings.Contains(got, `"coreos-assembler.config-variant": "dev"`) {
		t.Errorf("meta.json:\n%s", got)
	}
}

func TestVariantThatCannotBe(t *testing.T) {
	for _, doc := range []string{`{`, `{"coreos-assembler.config-variant": "../x"}`, `{"coreos-assembler.config-variant": 1}`} {
		dir := newDir(t)
		put(t, variantPath(dir), doc)
		_, err := Open(t.Context(), Config{Dir: dir, Arch: testArch})
		if class, hint := materialize.ClassOf(err); err == nil || class != materialize.ClassConfig || !strings.Contains(hint, "config-variant") {
			t.Errorf("open with %s: %v", doc, err)
		}
	}
	err := Init(t.Context(), InitConfig{Dir: t.TempDir(), Source: t.TempDir(), Variant: "a/b"})
	if !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("init: %v", err)
	}
}
