package materialize

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cosafs/test/need"
)

// newConfig makes a configuration in git with one commit.
func newConfig(t *testing.T) ConfigDir {
	t.Helper()
	need.Tool(t, "git")
	dir := t.TempDir()
	writeConfig(t, dir, "manifest.yaml", "packages: []\n")
	writeConfig(t, dir, ".gitignore", "tmp\n")
	inGit(t, dir, "init", "--quiet", "--initial-branch=stable")
	inGit(t, dir, "add", ".")
	inGit(t, dir, "commit", "--quiet", "-m", "first")
	return ConfigDir{Dir: dir, Overrides: filepath.Join(t.TempDir(), "overrides")}
}

func writeConfig(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func inGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...)
	who := []string{"NAME=tester", "EMAIL=tester@example.com", "DATE=2026-01-02T03:04:05Z"}
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	for _, s := range who {
		cmd.Env = append(cmd.Env, "GIT_AUTHOR_"+s, "GIT_COMMITTER_"+s)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestProvenance(t *testing.T) {
	c := newConfig(t)
	head := inGit(t, c.Dir, "rev-parse", "HEAD")
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p, err := c.provenance(t.Context())
	if err != nil || p.commit != head || p.rev != head || p.branch != "stable" || p.dirty || !p.time.Equal(when) {
		t.Fatalf("provenance = %+v, %v; want commit %s of %v, clean", p, err, head, when)
	}
	if g := p.info(); g.Origin != "file://"+c.Dir || g.Dirty != "false" || g.Branch != "stable" {
		t.Errorf("without a remote: %+v", g)
	}

	inGit(t, c.Dir, "remote", "add", "origin", "https://example.com/config.git")
	inGit(t, c.Dir, "tag", "v1")
	inGit(t, c.Dir, "branch", "--move", "r1") // shorter than the schema takes
	writeConfig(t, c.Dir, "manifest.yaml", "packages: [bash]\n")
	if p, err = c.provenance(t.Context()); err != nil || !p.dirty || p.rev != "v1" {
		t.Errorf("provenance = %+v, %v; want dirty, v1", p, err)
	}
	var g map[string]string
	if err := json.Unmarshal(p.git(), &g); err != nil || g["origin"] != "https://example.com/config.git" || g["dirty"] != "true" || g["branch"] != "" {
		t.Errorf("git = %v, %v", g, err)
	}
	want := map[string]string{"coreos-assembler.basearch": "x86_64", "coreos-assembler.config-gitrev": "v1", "coreos-assembler.config-dirty": "true"}
	got := p.metadata("x86_64")
	for k, v := range want {
		if got[k] != v {
			t.Errorf("metadata %s = %q, want %q", k, got[k], v)
		}
	}
}

func TestUntrackedFilesAreNotDirty(t *testing.T) {
	c := newConfig(t)
	writeConfig(t, c.Dir, "notes.txt", "x")
	if p, err := c.provenance(t.Context()); err != nil || p.dirty {
		t.Errorf("provenance = %+v, %v", p, err)
	}
}

func TestProvenanceWithoutGit(t *testing.T) {
	c := ConfigDir{Dir: t.TempDir()}
	p, err := c.provenance(t.Context())
	if err != nil || p.git() != nil || !p.time.IsZero() || len(p.metadata("x86_64")) != 1 {
		t.Errorf("provenance = %+v, %v, git %s", p, err, p.git())
	}
}

func TestProvenanceOfGitDir(t *testing.T) {
	c := newConfig(t)
	c = ConfigDir{Dir: t.TempDir(), GitDir: c.Dir} // src/config is a copy, src/config-git the clone
	if p, err := c.provenance(t.Context()); err != nil || p.commit == "" {
		t.Errorf("provenance = %+v, %v", p, err)
	}
}

// archived writes a configuration's archive.
func archived(t *testing.T, c ConfigDir) (archive []byte, about configGit, dir string) {
	t.Helper()
	need.Tool(t, "tar")
	dir = t.TempDir()
	p, err := c.provenance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.archive(t.Context(), p, dir); err != nil {
		t.Fatal(err)
	}
	if archive, err = os.ReadFile(filepath.Join(dir, configTar)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "coreos-assembler-config-git.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &about); err != nil {
		t.Fatal(err)
	}
	return archive, about, dir
}

func TestConfigArchive(t *testing.T) {
	c := newConfig(t)
	writeConfig(t, c.Dir, "overlay.d/05/etc/motd", "hello\n")
	first, about, dir := archived(t, c)
	if about.Git == nil || about.Git.Commit != inGit(t, c.Dir, "rev-parse", "HEAD") || about.Date != "2026-01-02T03:04:05Z" {
		t.Errorf("about = %+v", about)
	}
	if f := about.File; f.Checksum != hexSHA256(first) || f.Name != configTar || f.Format != "tar.gz" || f.ChecksumType != "sha256" {
		t.Errorf("about the file: %+v", f)
	}
	list, err := exec.CommandContext(t.Context(), "tar", "--list", "--file", filepath.Join(dir, configTar)).Output()
	if err != nil || !strings.Contains(string(list), "./overlay.d/05/etc/motd") || strings.Contains(string(list), ".git") {
		t.Errorf("the archive holds\n%s%v", list, err)
	}

	now := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(c.Dir, "manifest.yaml"), now, now); err != nil {
		t.Fatal(err)
	}
	if again, _, _ := archived(t, c); !bytes.Equal(first, again) {
		t.Error("the same content gave another archive")
	}
}

func TestConfigArchiveWithoutGit(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "manifest.yaml", "packages: []\n")
	_, about, _ := archived(t, ConfigDir{Dir: dir})
	if about.Git != nil || about.Date != "1970-01-01T00:00:00Z" || about.File.Size == "" {
		t.Errorf("about = %+v", about)
	}
}

func TestOverridesActive(t *testing.T) {
	for name, want := range map[string]bool{"": false, "rpm/.keep": false, "rpm/x.rpm": true, "rootfs/etc/motd": true, "other/x": false} {
		dir := t.TempDir()
		if name != "" {
			writeConfig(t, dir, name, "x")
		}
		if got := (ConfigDir{Overrides: dir}).overridesActive(); got != want {
			t.Errorf("overrides with %q: %v, want %v", name, got, want)
		}
	}
	if (ConfigDir{Overrides: filepath.Join(t.TempDir(), "none")}).overridesActive() {
		t.Error("overrides that don't exist are active")
	}
}
