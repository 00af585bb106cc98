package compose_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/materialize"
	"cosafs/materialize/compose"
)

// workdir writes an archive in txtar's form ("-- name --" lines before each
// file) below a new working directory and gives a configuration for it.
func workdir(t *testing.T, archive string) compose.Config {
	t.Helper()
	dir, name := t.TempDir(), ""
	files := map[string]string{}
	for line := range strings.Lines(archive) {
		if rest, ok := strings.CutPrefix(line, "-- "); ok {
			name = strings.TrimSuffix(rest, " --\n")
			continue
		}
		files[name] += line
	}
	delete(files, "") // the empty line that opens most archives
	for name, data := range files {
		write(t, filepath.Join(dir, name), data)
	}
	return compose.Config{Workdir: dir, Arch: "x86_64"}.WithDefaults()
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, archive string) *compose.Treefile {
	t.Helper()
	tf, err := compose.LoadTreefile(workdir(t, archive))
	if err != nil {
		t.Fatal(err)
	}
	return tf
}

// manifest is a small manifest of the shape of rpm-ostree's own examples.
const manifest = `
-- src/config/manifest.yaml --
# a comment
ref: tinyos/${basearch}/stable
releasever: "1"
repos:
  - local
packages:
  - zlib bash
  - "'kernel >= 6'"
  - bash
packages-x86_64: [grub2]
packages-s390x: [zipl]
metadata:
  name: tinyos
  summary: Tiny for ${basearch}
selinux: false
documentation: false
add-commit-metadata:
  example.key: value-${releasever}
  example.list: [a, 2]
automatic-version-prefix: "${releasever}.<date:%Y%m%d>"
`

func TestTreefileFields(t *testing.T) {
	tf := load(t, manifest)
	want := map[string]any{
		"name": "tinyos", "summary": "Tiny for x86_64", "ref": "tinyos/x86_64/stable",
		"packages": []string{"bash", "grub2", "kernel >= 6", "zlib"},
		"prefix":   "1.<date:%Y%m%d>", "selinux": false, "docs": false, "recommends": true,
		"metadata":  map[string]any{"example.key": "value-1", "example.list": []any{"a", 2}},
		"boot":      "new",
		"variables": map[string]string{"basearch": "x86_64", "releasever": "1"},
	}
	got := map[string]any{
		"name": tf.Name, "summary": tf.Summary, "ref": tf.Ref, "packages": tf.Packages,
		"prefix": tf.AutomaticVersionPrefix, "selinux": tf.SELinux, "docs": tf.Documentation,
		"recommends": tf.Recommends, "metadata": tf.AddCommitMetadata, "boot": tf.BootLocation,
		"variables": tf.Variables,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTreefileIncludes(t *testing.T) {
	tf := load(t, `
-- src/config/manifest.yaml --
include: [sub/first.yaml, second.json]
arch-include:
  x86_64: x86.yaml
  s390x: nosuch.yaml
conditional-include:
  - if: flavour == "full"
    include: full.yaml
  - if: [level > 1, desktop == true]
    include: nosuch.yaml
  - if: level == 1
    include: {packages: [inline]}
variables: {flavour: full, level: 1, desktop: true}
ref: own
packages: [own]
postprocess: [own]
add-commit-metadata: {a: own}
-- src/config/sub/first.yaml --
ref: first
variables: {flavour: none}
packages: [first]
postprocess: [first]
add-files: [[f, /usr/lib/f]]
postprocess-script: p.sh
add-commit-metadata: {a: first, b: first}
-- src/config/second.json --
{"comment-x": "ignored", "units": ["u.service"],
	"postprocess": ["second"]}
-- src/config/x86.yaml --
postprocess: [x86]
-- src/config/full.yaml --
packages: [full]
repo-packages:
  - repo: a
    packages: [dup, only-a]
  - repo: b
    packages: [dup]
`)
	if want := []string{"first", "full", "inline", "own"}; !cmp.Equal(tf.Packages, want) {
		t.Errorf("packages %v, want %v", tf.Packages, want)
	}
	if want := []string{"x86", "second", "first", "own"}; !cmp.Equal(tf.Postprocess, want) {
		t.Errorf("postprocess %v, want later includes first: %v", tf.Postprocess, want)
	}
	if tf.Ref != "own" || tf.AddCommitMetadata["a"] != "own" || tf.AddCommitMetadata["b"] != "first" {
		t.Errorf("the including file does not win: ref %s, metadata %v", tf.Ref, tf.AddCommitMetadata)
	}
	base := filepath.Dir(tf.Files[0])
	if got := tf.AddFiles[0].Source; got != filepath.Join(base, "sub/f") {
		t.Errorf("add-files source %s is not beside the file that names it", got)
	}
	if got := tf.PostprocessScript; got != filepath.Join(base, "sub/p.sh") {
		t.Errorf("postprocess-script %s is not beside the file that names it", got)
	}
	want := []compose.RepoPackages{{Repo: "a", Packages: []string{"only-a"}}, {Repo: "b", Packages: []string{"dup"}}}
	if diff := cmp.Diff(want, tf.RepoPackages); diff != "" {
		t.Error(diff)
	}
}

// TestTreefileMistakes uses the texts that rpm-ostree prints for the same files.
func TestTreefileMistakes(t *testing.T) {
	const top = "-- src/config/manifest.yaml --\n"
	tests := []struct {
		name, archive string
		text          string // what rpm-ostree says
		file          string
		line          int
	}{
		{"unknown key", top + "ref: a\nfrobnicate: 1\n", "Unknown fields: frobnicate", "manifest.yaml", 2},
		{"two unknown keys", top + "frobnicate: 1\nquux: 2\n", "Unknown fields: frobnicate, quux", "manifest.yaml", 1},
		{"unknown key of an include", top + "include: i.yaml\n-- src/config/i.yaml --\n\npackages-wrong: x\n", "Invalid field packages-wrong: expected array of strings", "i.yaml", 2},
		{"boolean", top + "selinux: maybe\n", `invalid type: string "maybe", expected a boolean`, "manifest.yaml", 1},
		{"boolean of YAML 1.1", top + "selinux: yes\n", "expected a boolean", "manifest.yaml", 1},
		{"packages a string", top + "ref: x\npackages: bash\n", `packages: invalid type: string "bash", expected a sequence`, "manifest.yaml", 2},
		{"enum", top + "boot-location: nowhere\n", "unknown variant `nowhere`, expected one of `new`, `modules`, `kernel-install`", "manifest.yaml", 1},
		{"duplicate key", top + "ref: a\nref: b\n", "duplicate field `ref`", "manifest.yaml", 2},
		{"bad YAML", top + "ref: x\n  packages: [\n", "serde-yaml: ", "manifest.yaml", 2},
		{"bad JSON", top + "include: m.json\n-- src/config/m.json --\n{\n \"ref\": \"x\",\n}\n", "serde-json: ", "m.json", 3},
		{"not a map", top + "- a\n", "expected a map", "manifest.yaml", 1},
		{"include loop", top + "include: a.yaml\n-- src/config/a.yaml --\ninclude: manifest.yaml\n", "Include loop detected; ", "manifest.yaml", 0},
		{"included twice", top + "include: [a.yaml, a.yaml]\n-- src/config/a.yaml --\nref: x\n", "was already included", "a.yaml", 0},
		{"legacy and new", top + "default_target: a\ndefault-target: b\n", "Cannot use new and legacy forms of default_target", "manifest.yaml", 1},
		{"reserved variable", top + "variables: {basearch: x}\n", "cannot define reserved variable 'basearch'", "manifest.yaml", 1},
		{"other architecture", top + "basearch: s390x\n", "cross-composes are not supported", "manifest.yaml", 1},
		{"bad condition", top + "conditional-include: [{if: x ~ 1, include: a.yaml}]\n", "invalid condition: x ~ 1", "manifest.yaml", 1},
		{"unknown variable", top + "conditional-include: [{if: x == 1, include: a.yaml}]\n", "unknown variable 'x'", "manifest.yaml", 1},
		{"types of a condition", top + "variables: {x: 1}\nconditional-include: [{if: x == \"1\", include: a.yaml}]\n", "type mismatch", "manifest.yaml", 2},
		{"order of strings", top + "variables: {x: a}\nconditional-include: [{if: x < \"b\", include: a.yaml}]\n", "needs numbers", "manifest.yaml", 2},
		{"ref with unknown variable", top + "ref: a/${nosuch}\n", "unknown variable 'nosuch' in ref", "manifest.yaml", 1},
		{"add-files to var", top + "add-files: [[a, /var/a]]\n", "Unsupported path in add-files: /var/a", "manifest.yaml", 1},
		{"add-files escapes", top + "add-files: [[a, /usr/../var/a]]\n", "Unsupported path in add-files", "manifest.yaml", 1},
		{"open quote", top + "packages: [\"'foo >= 1\"]\n", "missing terminating quote", "manifest.yaml", 1},
		{"many aliases", top + bomb(), "too many values", "manifest.yaml", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := compose.LoadTreefile(workdir(t, tt.archive))
			class, hint := materialize.ClassOf(err)
			if class != materialize.ClassConfig || !strings.Contains(hint, tt.file) {
				t.Fatalf("class %q, hint %q of %v", class, hint, err)
			}
			e, ok := errors.AsType[*compose.SourceError](err)
			if !ok || filepath.Base(e.File) != tt.file || e.Line != tt.line {
				t.Errorf("%#v, want line %d of %s", e, tt.line, tt.file)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%q does not say %q", err, tt.text)
			}
		})
	}
}

// bomb is a small YAML text whose aliases expand to a billion values.
func bomb() string {
	s := "metadata:\n  a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := '1'; i <= '9'; i++ {
		p := string(i - 1)
		s += "  a" + string(i) + ": &a" + string(i) + " [" + strings.Repeat("*a"+p+",", 9) + "*a" + p + "]\n"
	}
	return s
}

func TestTreefileMissing(t *testing.T) {
	for _, archive := range []string{"", "-- src/config/manifest.yaml --\ninclude: nosuch.yaml\n"} {
		_, err := compose.LoadTreefile(workdir(t, archive))
		if class, _ := materialize.ClassOf(err); class != materialize.ClassConfig || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v: class %s", err, class)
		}
	}
}

func TestTreefileDepth(t *testing.T) {
	var archive strings.Builder
	archive.WriteString("-- src/config/manifest.yaml --\ninclude: i1.yaml\n")
	for i := 1; i < 60; i++ {
		archive.WriteString("-- src/config/i" + strconv.Itoa(i) + ".yaml --\ninclude: i" + strconv.Itoa(i+1) + ".yaml\n")
	}
	_, err := compose.LoadTreefile(workdir(t, archive.String()))
	if _, ok := errors.AsType[*compose.SourceError](err); !ok {
		t.Fatalf("got %v, want the limit of depth", err)
	}
}

func TestTreefileAnchors(t *testing.T) {
	tf := load(t, "-- src/config/manifest.yaml --\npackages: &p [a, b]\nexclude-packages: *p\nunits:\n")
	if !cmp.Equal(tf.ExcludePackages, []string{"a", "b"}) || tf.Units != nil {
		t.Errorf("exclude %v, units %v", tf.ExcludePackages, tf.Units)
	}
}

func TestTreefileEdition(t *testing.T) {
	tf := load(t, "-- src/config/manifest.yaml --\nedition: \"2024\"\n")
	if tf.BootLocation != "modules" || !tf.TmpIsDir {
		t.Errorf("boot-location %s, tmp-is-dir %t", tf.BootLocation, tf.TmpIsDir)
	}
	tf = load(t, "-- src/config/manifest.yaml --\ncontainer: true\n")
	if tf.SELinux || tf.PreservePasswd || tf.BootLocation != "modules" {
		t.Errorf("container implies no selinux (%t), no preserve-passwd (%t)", tf.SELinux, tf.PreservePasswd)
	}
}

func TestUnsupportedByDNF(t *testing.T) {
	tf := load(t, manifest)
	if got := tf.UnsupportedByDNF(); len(got) > 0 {
		t.Errorf("a plain manifest: %v", got)
	}
	tf = load(t, "-- src/config/manifest.yaml --\nselinux: true\ncheck-passwd: {type: file, filename: p}\nima: false\nostree-layers: [x]\n")
	if want := []string{"check-passwd", "ostree-layers", "selinux"}; !cmp.Equal(tf.UnsupportedByDNF(), want) {
		t.Errorf("got %v, want %v", tf.UnsupportedByDNF(), want)
	}
	if file, line := tf.Where("check-passwd"); filepath.Base(file) != "manifest.yaml" || line != 2 {
		t.Errorf("check-passwd is at %s:%d", file, line)
	}
	tf = load(t, "-- src/config/manifest.yaml --\nostree-layers: [overlay/05core]\n-- src/config/overlay.d/05core/a --\na\n")
	if got := tf.UnsupportedByDNF(); len(got) > 0 {
		t.Errorf("an overlay of the configuration itself: %v", got)
	}
	tf = load(t, "-- src/config/manifest.yaml --\nostree-layers: [overlay/nosuch]\ncheck-passwd: {type: none}\n")
	if want := []string{"ostree-layers"}; !cmp.Equal(tf.UnsupportedByDNF(), want) {
		t.Errorf("an overlay that is not there: %v", tf.UnsupportedByDNF())
	}
}

// FuzzTreefile looks for crashes, and for treefiles that are accepted but
// whose hash can't be made.
func FuzzTreefile(f *testing.F) {
	f.Add("ref: a/${basearch}\npackages: [a, 'b c']\n", true)
	f.Add("conditional-include: [{if: x == 1, include: {units: [a]}}]\nvariables: {x: 1}\n", true)
	f.Add("add-files: [[a, /usr/b]]\nrepo-packages: [{repo: a, packages: [b]}]\ncheck-passwd: {type: none}\n", true)
	f.Add(`{"ref": "a", "metadata": {"name": "x", "n": 1.5}}`, false)
	f.Fuzz(func(t *testing.T, text string, isYAML bool) {
		cfg := compose.Config{Workdir: t.TempDir(), Arch: "x86_64"}
		if !isYAML {
			cfg.Manifest = filepath.Join(cfg.Workdir, "src/config/manifest.json")
		}
		cfg = cfg.WithDefaults()
		write(t, cfg.Manifest, text)
		tf, err := compose.LoadTreefile(cfg)
		if err != nil {
			if class, hint := materialize.ClassOf(err); class != materialize.ClassConfig || hint == "" {
				t.Fatalf("%v: class %s, hint %q", err, class, hint)
			}
			return
		}
		if len(tf.Hash()) != 64 {
			t.Fatalf("hash %q", tf.Hash())
		}
	})
}
