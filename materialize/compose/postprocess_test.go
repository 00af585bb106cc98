package compose

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/materialize"
)

// newTree makes a tree: names that end in / are directories, "a -> b" is a
// link, all others are files that hold their own name.
func newTree(t *testing.T, names ...string) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		var err error
		if link, target, ok := strings.Cut(name, " -> "); ok {
			path = filepath.Join(dir, link)
			err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(target, path))
		} else if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(name), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root, dir
}

func TestFoldTopLevel(t *testing.T) {
	root, _ := newTree(t, "bin/a", "usr/bin/b", "lib/modules/k/x", "usr/lib/modules/k/y", "sbin -> usr/sbin", "usr/sbin/c")
	if err := foldTopLevel(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"usr/bin/a", "usr/bin/b", "usr/lib/modules/k/x", "usr/lib/modules/k/y", "bin/b", "sbin/c"} {
		if _, err := root.Stat(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if target, err := root.Readlink("bin"); target != "usr/bin" {
		t.Errorf("/bin: %q, %v", target, err)
	}
	root, _ = newTree(t, "bin/a", "usr/bin/a")
	if err := foldTopLevel(t.Context(), root); !errors.Is(err, fs.ErrExist) {
		t.Errorf("two files of one name: %v", err)
	}
}

func TestKernelVersion(t *testing.T) {
	root, _ := newTree(t, "usr/lib/modules/6.1/modules.dep", "boot/vmlinuz-6.1", "usr/lib/modules/5/left-over")
	if err := fromBoot(root); err != nil {
		t.Fatal(err)
	}
	if v, err := kernelVersion(root); v != "6.1" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	for _, names := range [][]string{{"usr/bin/sh"}, {"usr/lib/modules/6/vmlinuz", "usr/lib/modules/7/vmlinuz"}} {
		root, _ := newTree(t, names...)
		_, err := kernelVersion(root)
		if class, hint := materialize.ClassOf(err); class != materialize.ClassConfig || !strings.Contains(hint, "kernel package") {
			t.Errorf("%v: %v, class %s, hint %q", names, err, class, hint)
		}
	}
}

func TestEmptyVar(t *testing.T) {
	root, dir := newTree(t, "var/lib/a b/", "var/cache/file", "var/mail -> spool/mail", "var/tmp/x/", "etc/passwd", "usr/lib/")
	if err := os.Chmod(filepath.Join(dir, "var/lib/a b"), 0o700); err != nil {
		t.Fatal(err)
	}
	task, log := newTask(t)
	c := &composition{task: task, tf: &Treefile{}}
	if err := c.emptyVar(root); err != nil {
		t.Fatal(err)
	}
	got, err := root.ReadFile(autovar)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`d /var/lib/a\x20b 0700 `, "d /var/cache 0755 ", "L /var/mail - - - - spool/mail\n"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no line %q in\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "/var/tmp") || strings.Contains(string(got), "file") {
		t.Errorf("too much in\n%s", got)
	}
	if !strings.Contains(log.String(), "/var/cache/file") {
		t.Errorf("the log doesn't name the file that was dropped: %s", log)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "var")); err != nil || len(entries) != 0 {
		t.Errorf("/var holds %v, %v", entries, err)
	}
}

func TestCopyLayer(t *testing.T) {
	_, layer := newTree(t, "usr/bin/tool", "usr/etc/conf", "etc/own", "link -> usr/bin/tool")
	for name, mode := range map[string]fs.FileMode{"usr/bin/tool": 0o777 | fs.ModeSetuid, "etc/own": 0o666} {
		if err := os.Chmod(filepath.Join(layer, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(layer, "statoverride"), []byte("# more\n=384 /etc/own\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, dir := newTree(t, "usr/bin/")
	for range 2 { // equal files are no conflict
		if err := copyLayer(root, layer, false); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]fs.FileMode{"usr/bin/tool": 0o755, "etc/own": 0o600, "etc/conf": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want mode %v", name, info, err, want)
		}
	}
	if _, err := root.Lstat("statoverride"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("statoverride got into the tree: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/conf"), []byte("a package's"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := copyLayer(root, layer, false)
	if class, _ := materialize.ClassOf(err); class != materialize.ClassConfig || !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file of a package: %v, class %s", err, class)
	}
	if err := copyLayer(root, layer, true); err != nil {
		t.Errorf("overrides/rootfs: %v", err)
	}
}

// A package's link must not lead a step out of the tree.
func TestLinksStayInside(t *testing.T) {
	outside := t.TempDir()
	root, _ := newTree(t, "usr/share/evil -> "+outside, "usr/bin/")
	c := &composition{tf: &Treefile{RemoveFiles: []string{"usr/share/evil/precious"}}, DNF: NewDNF(Config{Workdir: "/w"})}
	precious := filepath.Join(outside, "precious")
	if err := os.WriteFile(precious, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_ = c.removeFiles(t.Context(), root) // may refuse
	if _, err := os.Stat(precious); err != nil {
		t.Errorf("a file outside of the tree: %v", err)
	}
}

func TestOSRelease(t *testing.T) {
	root, dir := newTree(t, "usr/lib/os-release")
	text := "NAME=\"Fedora 44\"\nVERSION=\"44 (CoreOS)\"\nPRETTY_NAME=\"Fedora 44\"\n"
	if err := os.WriteFile(filepath.Join(dir, "usr/lib/os-release"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c := &composition{tf: &Treefile{MutateOSRelease: "44"}, version: "44.7"}
	if err := c.osRelease(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	got, err := root.ReadFile("usr/lib/os-release")
	want := "NAME=\"Fedora 44\"\nVERSION=\"44.7 (CoreOS)\"\nPRETTY_NAME=\"Fedora 44.7\"\nOSTREE_VERSION='44.7'\n"
	if err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestSystemdLinks(t *testing.T) {
	root, _ := newTree(t, "usr/lib/systemd/system/a.service", "usr/lib/systemd/system/multi-user.target", "etc/systemd/system/default.target -> old")
	c := &composition{tf: &Treefile{Units: []string{"a.service"}, DefaultTarget: "multi-user.target"}}
	if err := c.systemdLinks(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	for link, want := range map[string]string{
		"etc/systemd/system/default.target":                    "/usr/lib/systemd/system/multi-user.target",
		"etc/systemd/system/multi-user.target.wants/a.service": "/usr/lib/systemd/system/a.service",
	} {
		if got, err := root.Readlink(link); got != want {
			t.Errorf("%s -> %q, %v; want %s", link, got, err, want)
		}
	}
}
