package compose_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/materialize"
	"cosafs/materialize/compose"
)

// config is a configuration with one of everything that is an input.
const config = `
-- src/config/manifest.yaml --
# comment
metadata: {name: tinyos}
ref: tinyos/stable
repos: [local]
packages: [bash]
add-files: [[motd, /etc/motd]]
postprocess-script: post.sh
-- src/config/motd --
hello
-- src/config/post.sh --
true
-- src/config/tiny.repo --
[local]
baseurl=file:///nonexistent/$basearch
-- src/config/other.repo --
[unused]
baseurl=https://example.com/
-- src/config/manifest-lock.x86_64.json --
{}
-- src/config/overlay.d/05core/usr/lib/a --
a
-- overrides/rpm/app.rpm --
rpm
-- overrides/rootfs/usr/b --
b
-- src/config/image.yaml --
size: 1
`

func inputs(t *testing.T, cfg compose.Config) materialize.Inputs {
	t.Helper()
	in, err := compose.ReadInputs(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestInputs(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, cfg compose.Config)
		part   string // the part that changes; "" = none
	}{
		{"comment and layout", put("src/config/manifest.yaml", "ref: 'tinyos/stable'\nmetadata:\n  name: tinyos\nrepos:\n- local\npackages: [bash]\nadd-files: [[motd, /etc/motd]]\npostprocess-script: post.sh\n"), ""},
		{"package", put("src/config/manifest.yaml", "metadata: {name: tinyos}\nref: tinyos/stable\nrepos: [local]\npackages: [zsh]\nadd-files: [[motd, /etc/motd]]\npostprocess-script: post.sh\n"), "manifest"},
		{"add-files", put("src/config/motd", "other"), "motd"},
		{"script", put("src/config/post.sh", "false"), "post.sh"},
		{"repo file", put("src/config/tiny.repo", "[local]\nbaseurl=https://example.com/\n"), "repo tiny.repo"},
		{"repo file not in use", put("src/config/other.repo", "[unused]\n"), ""},
		{"lockfile", put("src/config/manifest-lock.x86_64.json", "{ }"), "manifest-lock.x86_64.json"},
		{"overlay", put("src/config/overlay.d/05core/usr/lib/a", "b"), "overlay.d/05core"},
		{"new overlay", put("src/config/overlay.d/10more/a", "b"), "overlay.d/10more"},
		{"mode in an overlay", chmod("src/config/overlay.d/05core/usr/lib/a", 0o755), "overlay.d/05core"},
		{"name in an overlay", rename("src/config/overlay.d/05core/usr/lib/a", "src/config/overlay.d/05core/usr/lib/b"), "overlay.d/05core"},
		{"override package", put("overrides/rpm/app.rpm", "other"), "overrides/rpm/app.rpm"},
		{"override file", put("overrides/rootfs/usr/b", "c"), "overrides/rootfs"},
		{"image.yaml", put("src/config/image.yaml", "size: 2"), ""},
		{"time", touch("src/config/overlay.d/05core/usr/lib/a"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := workdir(t, config)
			before := inputs(t, cfg)
			tt.change(t, cfg)
			after := inputs(t, cfg)
			if same := before.Hash == after.Hash; same != (tt.part == "") {
				t.Errorf("hash is the same: %t", same)
			}
			for part, sum := range after.Parts {
				if (before.Parts[part] != sum) != (part == tt.part) {
					t.Errorf("part %s: %s, before %s", part, sum, before.Parts[part])
				}
			}
		})
	}
}

func TestInputsDontKnowTheirPlace(t *testing.T) {
	a, b := inputs(t, workdir(t, config)), inputs(t, workdir(t, config))
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("the same configuration in two directories: %s", diff)
	}
	if a.Name != "tinyos" || a.Ref != "tinyos/stable" {
		t.Errorf("name %q, ref %q", a.Name, a.Ref)
	}
}

func TestInputsRepodata(t *testing.T) {
	cfg := workdir(t, config)
	repo := t.TempDir()
	put("src/config/tiny.repo", "[local]\nbaseurl=file://"+repo+"/$basearch\n")(t, cfg)
	before := inputs(t, cfg)
	write(t, filepath.Join(repo, "x86_64/repodata/repomd.xml"), "<repomd/>")
	after := inputs(t, cfg)
	if before.Hash == after.Hash || after.Parts["repodata local"] == "" {
		t.Errorf("the repository's index is not an input: %v", after.Parts)
	}
}

func TestInputsMistakes(t *testing.T) {
	cfg := workdir(t, config)
	if err := os.Remove(filepath.Join(cfg.Dir, "motd")); err != nil {
		t.Fatal(err)
	}
	_, err := compose.ReadInputs(t.Context(), cfg)
	if class, hint := materialize.ClassOf(err); class != materialize.ClassConfig || hint == "" {
		t.Errorf("missing add-files source: %v", err)
	}
	cfg = workdir(t, config+"-- src/config/manifest-lock.x86_64.yaml --\n{}\n")
	_, err = compose.ReadInputs(t.Context(), cfg)
	if class, _ := materialize.ClassOf(err); class != materialize.ClassConfig {
		t.Errorf("two lockfiles of one name: %v", err)
	}
}

func TestOverridesActive(t *testing.T) {
	for archive, want := range map[string]bool{
		config: true, manifest: false, "-- overrides/rpm/readme --\na\n": false, "-- overrides/rootfs/a --\na\n": true,
	} {
		got, err := compose.OverridesActive(workdir(t, archive))
		if err != nil || got != want {
			t.Errorf("got %t, %v; want %t for %s", got, err, want, archive)
		}
	}
}

func put(name, data string) func(*testing.T, compose.Config) {
	return func(t *testing.T, cfg compose.Config) {
		t.Helper()
		write(t, filepath.Join(cfg.Workdir, name), data)
	}
}

func chmod(name string, mode os.FileMode) func(*testing.T, compose.Config) {
	return func(t *testing.T, cfg compose.Config) {
		t.Helper()
		if err := os.Chmod(filepath.Join(cfg.Workdir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
}

func rename(from, to string) func(*testing.T, compose.Config) {
	return func(t *testing.T, cfg compose.Config) {
		t.Helper()
		if err := os.Rename(filepath.Join(cfg.Workdir, from), filepath.Join(cfg.Workdir, to)); err != nil {
			t.Fatal(err)
		}
	}
}

func touch(name string) func(*testing.T, compose.Config) {
	return func(t *testing.T, cfg compose.Config) {
		t.Helper()
		path := filepath.Join(cfg.Workdir, name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, info.ModTime().Add(1e12), info.ModTime().Add(1e12)); err != nil {
			t.Fatal(err)
		}
	}
}
