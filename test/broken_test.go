package test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every broken input gives one clear line and a hint, and leaves the rest of
// the tree at work.
func TestBrokenConfiguration(t *testing.T) {
	t.Parallel()
	needAll(t)
	e := newEnv(t)
	e.cosafs("build", "ostree")
	good := e.latest()
	e.mount()
	replace := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	for name, c := range map[string]struct {
		file, says string
		change     func(string) string
	}{
		"bad YAML":           {"manifest.yaml", `manifest\.yaml.*line \d+`, func(s string) string { return s + "\n\t: [" }},
		"unknown key":        {"manifest.yaml", `frobnicate`, func(s string) string { return s + "frobnicate: true\n" }},
		"unknown image key":  {"image.yaml", `frobnicate`, func(s string) string { return s + "frobnicate: 1\n" }},
		"missing package":    {"manifest.yaml", `Packages not found: nonesuch`, replace("packages:\n", "packages:\n  - nonesuch\n")},
		"failing scriptlet":  {"manifest.yaml", `tinyos-failpost`, replace("packages:\n", "packages:\n  - tinyos-failpost\n")},
		"broken dependency":  {"manifest.yaml", `tinyos-broken`, replace("packages:\n", "packages:\n  - tinyos-broken\n")},
		"no kernel":          {"manifest.yaml", `kernel`, replace("  - kernel\n", "")},
		"disk too small":     {"image.yaml", `size`, replace("size: 1", "size: 0.1")},
		"missing repository": {"manifest.yaml", `nosuchrepo`, replace("  - tinyos\n", "  - nosuchrepo\n")},
	} {
		t.Run(name, func(t *testing.T) {
			e := &env{TB: t, dir: e.dir, work: e.work, mnt: e.mnt, os: e.os, environ: e.environ}
			before := e.read("src", "config", c.file)
			e.edit(c.file, c.change)
			defer e.edit(c.file, func(string) string { return before })
			clear(t, e.refused("build", "qemu"), c.says)
			if _, _, err := e.try("cat", e.path("next", "x86_64", "qemu.qcow2")); err == nil {
				t.Error("opening it through the mount succeeded")
			}
			clear(t, "cosafs: "+e.sh("getfattr", "--only-values", "-n", "user.cosafs.reason", e.path("next", "x86_64", "qemu.qcow2"))+"\nhint: x\n", c.says)
			if got := e.sh("cat", e.path(good, "x86_64", "meta.json")); got != e.read("builds", good, "x86_64", "meta.json") {
				t.Error("the good build is not served any more")
			}
			if got := e.latest(); got != good {
				t.Errorf("latest moved to %s", got)
			}
		})
	}
	if out := e.cosafs("build", "ostree"); !strings.Contains(out, "nothing changed") {
		t.Errorf("with the configuration mended: %s", out)
	}
}

// clear checks that what a command says is one line that says what, and a hint.
func clear(t *testing.T, stderr, says string) {
	t.Helper()
	var message, hint []string
	for line := range strings.Lines(stderr) {
		switch {
		case strings.HasPrefix(line, "cosafs: "):
			message = append(message, line)
		case strings.HasPrefix(line, "hint: "):
			hint = append(hint, line)
		}
	}
	if len(message) != 1 || len(hint) == 0 {
		t.Errorf("want one line of error and a hint, got:\n%s", stderr)
	}
	if !regexp.MustCompile(says).MatchString(strings.Join(message, "")) {
		t.Errorf("want an error that says %q, got:\n%s", says, stderr)
	}
}

// Damaged records spoil only themselves.
func TestBrokenRecords(t *testing.T) {
	t.Parallel()
	needAll(t)
	e := newEnv(t)
	e.cosafs("build", "ostree")
	good := e.latest()
	e.cosafs("build", "ostree", "--force")
	cut, gone, escaping := e.latest(), "", ""
	e.cosafs("build", "ostree", "--force")
	gone = e.latest()
	e.cosafs("build", "ostree", "--force", "--no-prune")
	escaping = e.latest()

	metaPath := func(id string) string { return filepath.Join(e.work, "builds", id, "x86_64", "meta.json") }
	if err := os.Truncate(metaPath(cut), 100); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(e.work, "builds", gone)); err != nil {
		t.Fatal(err)
	}
	text := e.read("builds", escaping, "x86_64", "meta.json")
	text = strings.Replace(text, `"images": {`, `"images": {"qemu": {"path": "../../../../../etc/passwd", "sha256": "`+strings.Repeat("0", 64)+`"},`, 1)
	if err := os.WriteFile(metaPath(escaping), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}

	e.mount()
	e.sh("ls", "-lR", e.mnt)
	if got := e.sh("cat", e.path(good, "x86_64", "meta.json")); got != e.read("builds", good, "x86_64", "meta.json") {
		t.Error("the good build is not served")
	}
	if out, _, err := e.try("cat", e.path(escaping, "x86_64", "qemu.qcow2")); err == nil || strings.Contains(out, "root:") {
		t.Errorf("a path that leads out of the build was followed: %q, %v", out, err)
	}
	status := e.sh("cat", e.path(".cosafs", "status"))
	for _, id := range []string{cut, gone} {
		if !strings.Contains(status, "build "+id+": ") {
			t.Errorf("the status does not name build %s:\n%s", id, status)
		}
	}
	list := e.cosafs("list")
	for _, id := range []string{good, cut, gone, escaping} {
		if !strings.Contains(list, id) {
			t.Errorf("list does not show %s:\n%s", id, list)
		}
	}
	clear(t, e.refused("plan", cut+"/x86_64/metal.raw"), cut)
}

// Missing tools and places say which and how to get them.
func TestMissingTools(t *testing.T) {
	t.Parallel()
	needAll(t)
	e := newEnv(t)
	e.cosafs("build", "ostree")
	without := func(tools ...string) *env {
		bin := t.TempDir()
		for _, dir := range []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range entries {
				if !slices.Contains(tools, entry.Name()) {
					_ = os.Symlink(filepath.Join(dir, entry.Name()), filepath.Join(bin, entry.Name())) // the first one wins
				}
			}
		}
		c := *e
		c.environ = append(append([]string{}, e.environ...), "PATH="+bin)
		return &c
	}
	clear(t, without("qemu-system-x86_64").refused("build", "--force-image", "qemu"), `qemu-system-x86_64`)
	fresh := newEnv(t)
	if err := os.Remove(filepath.Join(fresh.work, "cache", "cosafs", "appliance")); err != nil {
		t.Fatal(err)
	}
	e = fresh
	clear(t, without("supermin").refused("build", "qemu"), `supermin`)
	clear(t, without("dnf", "rpm-ostree").refused("build", "--force", "ostree"), `dnf`)
	clear(t, e.refused("--workdir", filepath.Join(e.dir, "nowhere"), "list"), `nowhere`)
}
