package compose_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/materialize"
	"cosafs/materialize/compose"
	"cosafs/test/need"
)

const overlays = manifest + `
-- src/config/tiny.repo --
[local]
baseurl=https://example.com/
-- src/config/overlay.d/05core/usr/bin/tool --
tool
-- src/config/overlay.d/05core/usr/lib/plain --
plain
-- src/config/overlay.d/05core/statoverride --
# setuid for the tool
+2048 /usr/bin/tool
=384 /usr/lib/plain
-- src/config/overlay.d/10more/etc/more --
more
-- overrides/rootfs/usr/override --
override
`

func TestComposeOverlays(t *testing.T) {
	r := newReplay(t, "changed", overlays, commits)
	tool := filepath.Join(r.cfg.Dir, "overlay.d/05core/usr/bin/tool")
	if err := os.Chmod(tool, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := r.compose(t.Context(), t, materialize.ComposeRequest{}); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"include":                r.cfg.Manifest,
		"ostree-layers":          []any{"overlay/05core", "overlay/10more"},
		"ostree-override-layers": []any{"cosa-bin-overlay"},
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(r.told(t, "manifest")), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	modes := ls(t, r.cfg.Repo, "overlay/05core")
	for path, want := range map[string]string{"/usr/bin/tool": "-04755 0 0", "/usr/lib/plain": "-00600 0 0", "/usr": "d00755 0 0"} {
		if modes[path] != want {
			t.Errorf("%s is %q, want %q", path, modes[path], want)
		}
	}
	if modes["/statoverride"] != "" {
		t.Error("the statoverride file itself is in the layer")
	}
	if ls(t, r.cfg.Repo, "cosa-bin-overlay")["/usr/override"] == "" {
		t.Error("overrides/rootfs is not in its layer")
	}
}

// ls gives type, mode, uid and gid by path.
func ls(t *testing.T, repo, ref string) map[string]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ostree", "ls", "--repo="+repo, "-R", ref).Output()
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]string{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		modes[f[len(f)-1]] = strings.Join(f[:3], " ")
	}
	return modes
}

func TestComposeBadStatoverride(t *testing.T) {
	for _, line := range []string{"+2048 /usr/bin/nosuch", "4755 /usr/bin/tool x", "rwx /usr/bin/tool", "=1"} {
		r := newReplay(t, "changed", "-- src/config/manifest.yaml --\n-- src/config/overlay.d/a/usr/x --\nx\n-- src/config/overlay.d/a/statoverride --\n"+line+"\n", commits)
		write(t, r.cfg.Manifest, "")
		_, err := r.compose(t.Context(), t, materialize.ComposeRequest{})
		if class, hint := materialize.ClassOf(err); class != materialize.ClassConfig || !strings.Contains(hint, "statoverride") {
			t.Errorf("%s: %v, hint %q", line, err, hint)
		}
	}
}

func TestComposeOverridePackages(t *testing.T) {
	need.Tool(t, "createrepo_c")
	need.Tool(t, "rpm")
	need.Tool(t, "rpmbuild")
	r := newReplay(t, "changed", "-- src/config/manifest.yaml --\npackages: [app]\n-- src/config/tiny.repo --\n[local]\nbaseurl=https://example.com/\n[more]\n", `cp "$(dirname "$manifest")"/*.repo "$(dirname "$manifest")"/*.lock.json "$case"`+commits)
	buildRPM(t, filepath.Join(r.cfg.Overrides, "rpm"))
	if _, err := r.compose(t.Context(), t, materialize.ComposeRequest{}); err != nil {
		t.Fatalf("%v\n%s", err, r.log.String())
	}
	if got := r.told(t, "manifest"); !strings.Contains(got, `"coreos-assembler-local-overrides",
    "local",
    "more"`) {
		t.Errorf("the manifest names no repositories, so all have to stay on: %s", got)
	}
	if got := r.told(t, "overrides.lock.json"); !strings.Contains(got, `"evra": "2:1.5-3.noarch"`) {
		t.Errorf("lockfile %s", got)
	}
	if got := r.told(t, "coreos-assembler-local-overrides.repo"); !strings.Contains(got, "priority=1\n") {
		t.Errorf("repository %s", got)
	}
	if r.told(t, "00-tiny.repo") == "" {
		t.Error("the configuration's *.repo file is not beside the manifest")
	}
	last := ""
	for _, a := range r.args(t) {
		if strings.HasPrefix(a, "--ex-lockfile=") {
			last = a
		}
	}
	if !strings.HasSuffix(last, "overrides.lock.json") {
		t.Errorf("the overrides' lockfile is not the last: %q", last)
	}
}

// buildRPM makes a package tiny-2:1.5-3.noarch.
func buildRPM(t *testing.T, dir string) {
	t.Helper()
	top := t.TempDir()
	write(t, filepath.Join(top, "tiny.spec"), "Name: tiny\nEpoch: 2\nVersion: 1.5\nRelease: 3\nSummary: s\nLicense: MIT\nBuildArch: noarch\n%description\n%files\n")
	cmd := exec.CommandContext(t.Context(), "rpmbuild", "-bb", "--define", "_topdir "+top, "--define", "_rpmdir "+dir, "--define", "_rpmfilename %{NAME}.rpm",
		"--define", "_dbpath "+top+"/db", filepath.Join(top, "tiny.spec"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// A file in overrides/rpm that is no package is told as such.
func TestComposeBadOverridePackage(t *testing.T) {
	need.Tool(t, "createrepo_c")
	need.Tool(t, "rpm")
	r := newReplay(t, "changed", manifest+"-- overrides/rpm/app.rpm --\nno package\n", commits)
	_, err := r.compose(t.Context(), t, materialize.ComposeRequest{})
	if class, hint := materialize.ClassOf(err); class == materialize.ClassInternal || !strings.Contains(hint, "overrides/rpm") {
		t.Errorf("%v, hint %q", err, hint)
	}
}

var _ materialize.Composer = (*compose.RPMOSTree)(nil)
