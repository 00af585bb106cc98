package workdir

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/materialize"
	"cosafs/test/need"
)

func TestInitLinksADirectory(t *testing.T) {
	config := t.TempDir()
	put(t, filepath.Join(config, "manifest.yaml"), "packages: []\n")
	dir := filepath.Join(t.TempDir(), "work")
	if err := Init(t.Context(), InitConfig{Dir: dir, Source: config, Variant: `odd "one"`}); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(filepath.Join(dir, "src", "config")); err != nil || to != config {
		t.Errorf("src/config -> %s, %v", to, err)
	}
	if got := get(t, filepath.Join(dir, "src", "config.json")); got != `{"coreos-assembler.config-variant":"odd \"one\""}` {
		t.Errorf("config.json = %s", got)
	}
	wantNames(t, "workdir", readNames(t, dir), "builds", "cache", "overrides", "src", "tmp")
	wantNames(t, "builds/", readNames(t, filepath.Join(dir, "builds")), "builds.json")
	if snap := openDir(t, dir).Library().Snapshot(); len(snap.Builds) != 0 || snap.Latest != "" || len(snap.Next) != 1 {
		t.Errorf("snapshot = %+v", snap)
	}
}

func TestInitClones(t *testing.T) {
	need.Tool(t, "git")
	source := t.TempDir()
	put(t, filepath.Join(source, "manifest.yaml"), "packages: []\n")
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=stable"}, {"add", "."},
		{"-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "-m", "first"},
	} {
		if out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", source}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	dir := t.TempDir()
	if err := Init(t.Context(), InitConfig{Dir: dir, Source: "file://" + source, Branch: "stable"}); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Lstat(filepath.Join(dir, "src", "config")); err != nil || !st.IsDir() {
		t.Errorf("src/config: %v", err)
	}
	if got := get(t, filepath.Join(dir, "src", "config", "manifest.yaml")); got != "packages: []\n" {
		t.Errorf("manifest.yaml = %q", got)
	}
}

// A URL that was mistyped costs nothing: the next try needs no --force.
func TestInitFailedClone(t *testing.T) {
	need.Tool(t, "git")
	dir := filepath.Join(t.TempDir(), "work")
	err := Init(t.Context(), InitConfig{Dir: dir, Source: "file:///nowhere/at/all"})
	if class, hint := materialize.ClassOf(err); class != materialize.ClassConfig || hint == "" || !strings.Contains(err.Error(), "/nowhere/at/all") {
		t.Errorf("init = %v (%s, %q)", err, class, hint)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %v", err)
	}
	config := t.TempDir()
	put(t, filepath.Join(config, "manifest.yaml"), "packages: []\n")
	if err := Init(t.Context(), InitConfig{Dir: dir, Source: config}); err != nil {
		t.Errorf("the next try: %v", err)
	}
}

func TestInitRefusesAFullDirectory(t *testing.T) {
	config, dir := t.TempDir(), t.TempDir()
	put(t, filepath.Join(config, "manifest.yaml"), "packages: []\n")
	put(t, filepath.Join(dir, ".git", "x"), "dot files don't count")
	put(t, filepath.Join(dir, "thesis.txt"), "x")
	err := Init(t.Context(), InitConfig{Dir: dir, Source: config})
	if _, hint := materialize.ClassOf(err); !errors.Is(err, fs.ErrExist) || !strings.Contains(hint, "--force") {
		t.Errorf("init = %v", err)
	}
	wantNames(t, "directory", readNames(t, dir), ".git", "thesis.txt")
	if err := Init(t.Context(), InitConfig{Dir: dir, Source: config, Force: true}); err != nil {
		t.Fatal(err)
	}
	add(t, openRecords(t, dir), 1)
	if err := Init(t.Context(), InitConfig{Dir: dir, Source: t.TempDir(), Force: true}); err != nil {
		t.Fatal(err)
	}
	wantNames(t, "builds of before", ids(t, openRecords(t, dir)), "1.1")
	if to, err := os.Readlink(filepath.Join(dir, "src", "config")); err != nil || to != config {
		t.Errorf("src/config -> %s, %v; --force keeps what is there", to, err)
	}
}

func TestInitOfNoConfiguration(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "work")
	err := Init(t.Context(), InitConfig{Dir: dir, Source: t.TempDir()})
	if _, hint := materialize.ClassOf(err); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(hint, "manifest.yaml") {
		t.Errorf("init from an empty directory: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was made: %v", err)
	}
}

func TestComplaint(t *testing.T) {
	for said, want := range map[string]string{
		"fatal: '/nope' does not appear to be a git repository\nfatal: Could not read from remote repository.\n\nPlease make sure\nand the repository exists.\n": "'/nope' does not appear to be a git repository",
		"warning: x\nerror: y\n": "error: y",
	} {
		if got := complaint([]byte(said)); got != want {
			t.Errorf("of %q: %q, want %q", said, got, want)
		}
	}
}
