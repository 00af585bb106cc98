package compose_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
	"cosafs/materialize/compose"
	"cosafs/test/logbuf"
	"cosafs/test/tinyos"
)

func TestDNFCommit(t *testing.T) {
	b := newBench(t)
	b.config("overlay.d/05tinyos/etc/greeting", "hello\n")
	c := b.compose(materialize.ComposeRequest{
		ImageJSON: []byte(`{"size":1}`), PlatformsJSON: []byte(`{"aws":{}}`), Metadata: map[string]string{"coreos-assembler.basearch": "x86_64"},
	})
	if c.Version != "1" || c.Ref != "tinyos/x86_64/main" || c.Unchanged {
		t.Errorf("version %q, ref %q, unchanged %v", c.Version, c.Ref, c.Unchanged)
	}
	if got := b.cat(c, "/usr/etc/greeting"); got != "hello\n" {
		t.Errorf("the overlay's file: %q", got)
	}
	if got := b.cat(c, "/usr/share/coreos-assembler/image.json"); got != `{"size":1}` {
		t.Errorf("image.json: %q", got)
	}
	if got := b.cat(c, "/usr/share/coreos-assembler/platforms.json"); got != `{"aws":{}}` {
		t.Errorf("platforms.json: %q", got)
	}
	if got := b.cat(c, "/usr/lib/os-release"); !strings.Contains(got, "OSTREE_VERSION='1'") {
		t.Errorf("os-release: %s", got)
	}
	list := b.list(c)
	for _, want := range []string{
		"l00777 0 0      0 /home -> var/home", "l00777 0 0      0 /ostree -> sysroot/ostree", "l00777 0 0      0 /bin -> usr/bin",
		"d01777 0 0      0 /tmp\n", "d00755 0 0      0 /var\n", "/usr/etc/machine-id",
		"l00777 0 0      0 /usr/lib/sysimage/rpm -> ../../share/rpm", "/initramfs.img", "/usr/share/rpm/rpmdb.sqlite\n",
	} {
		if !strings.Contains(list, want) {
			t.Errorf("the commit lacks %q", want)
		}
	}
	for _, unwanted := range []string{" /etc", " /var/", "rpmdb.sqlite-", ".rpm.lock", " /dev/", "/usr/etc/dnf", "postprocess"} {
		if strings.Contains(list, unwanted) {
			t.Errorf("the commit has %q:\n%s", unwanted, list)
		}
	}
	var meta map[string]any
	if err := json.Unmarshal(c.CommitMeta, &meta); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"version": "1", "rpmostree.inputhash": c.InputHash, "ostree.bootable": true, "coreos-assembler.basearch": "x86_64",
	} {
		if meta[key] != want {
			t.Errorf("metadata %s is %v, not %v", key, meta[key], want)
		}
	}
	if list, ok := meta["rpmostree.rpmdb.pkglist"].([]any); !ok || len(list) != 3 {
		t.Errorf("pkglist: %v", meta["rpmostree.rpmdb.pkglist"])
	}
	var lock struct {
		Packages map[string]struct{ EVRA string }
	}
	if err := json.Unmarshal(c.Lockfile, &lock); err != nil || lock.Packages["tinyos-filesystem"].EVRA != "1.0-1.noarch" {
		t.Errorf("lockfile %s, %v", c.Lockfile, err)
	}
}

// The package database of the commit must be readable as it lies there, since
// /usr is read-only on the booted system.
func TestDNFPackageDatabase(t *testing.T) {
	b := newBench(t)
	c := b.compose(materialize.ComposeRequest{})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rpmdb.sqlite"), []byte(b.cat(c, "/usr/share/rpm/rpmdb.sqlite")), 0o444); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "rpm", "--dbpath", dir, "-qa", "--qf", "%{NAME}\n").Output()
	got := strings.Fields(string(out))
	slices.Sort(got)
	if want := []string{"kernel", "tinyos-busybox", "tinyos-filesystem"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("rpm -qa: %v, %v; want %v", got, err, want)
	}
}

func TestDNFReproducible(t *testing.T) {
	var commits [2]materialize.Commit
	for i := range commits {
		b := newBench(t)
		b.do(tinyos.Make(t.Context(), tinyos.Config{Dir: b.os}, os.Stderr)) // the RPMs anew, too
		commits[i] = b.compose(materialize.ComposeRequest{Version: "42"})
	}
	if commits[0].Checksum != commits[1].Checksum {
		t.Errorf("the same inputs gave %s and %s", commits[0].Checksum, commits[1].Checksum)
	}
}

func TestDNFChangeDetection(t *testing.T) {
	b := newBench(t)
	first := b.compose(materialize.ComposeRequest{})
	next := func() materialize.ComposeRequest { return materialize.ComposeRequest{Previous: previous(first)} }

	if c := b.compose(next()); !c.Unchanged || c.Checksum != first.Checksum || c.Version != "1" {
		t.Errorf("unchanged inputs: %+v", c)
	}
	if strings.Contains(b.log.String(), "== install") {
		t.Error("unchanged inputs: packages were installed")
	}
	b.replace("ref:", "# a comment\nref:")
	b.do(tinyos.Publish(t.Context(), b.os, tinyos.Hello("7.0"))) // nobody installs it
	if c := b.compose(next()); !c.Unchanged {
		t.Error("a comment and a package that is not installed made a new commit")
	}
	forced := next()
	forced.Force = true
	if c := b.compose(forced); c.Unchanged || c.Version != "1.1" {
		t.Errorf("forced: unchanged %v, version %s", c.Unchanged, c.Version)
	}
	named := next()
	named.Version = "5"
	if c := b.compose(named); c.Unchanged || c.Version != "5" {
		t.Errorf("with a version: unchanged %v, version %s", c.Unchanged, c.Version)
	}
	b.add("hello")
	c := b.compose(next())
	if c.Unchanged || c.Version != "1.1" || c.Checksum == first.Checksum {
		t.Errorf("a package more: unchanged %v, version %s", c.Unchanged, c.Version)
	}
	if want := `[["hello",0,{"NewPackage":["hello","7.0-1","noarch"]}]]`; string(c.PkgDiff) != want {
		t.Errorf("pkgdiff %s, want %s", c.PkgDiff, want)
	}
}

// Inputs may change without changing what comes of them.
func TestDNFSameContents(t *testing.T) {
	b := newBench(t)
	b.replace("mutate-os-release: \"1\"\n", "") // it would write the version into the contents
	first := b.compose(materialize.ComposeRequest{})
	b.append("remove-files:\n  - usr/share/nothing\n")
	c := b.compose(materialize.ComposeRequest{Previous: previous(first), Timestamp: first.Timestamp.AddDate(0, 1, 0)})
	if !c.Unchanged || c.Checksum != first.Checksum || c.Version != first.Version {
		t.Errorf("equal contents made a new commit: %+v", c)
	}
	if !strings.Contains(b.log.String(), "== install") {
		t.Error("the inputs were not found to differ")
	}
}

func TestDNFTreefile(t *testing.T) {
	b := newBench(t)
	b.config("file", "added\n")
	b.config("late.sh", "#!/bin/sh\ntest ! -e /usr/bin/vi && echo late >>/usr/share/order\n")
	b.append(`  - tinyos-extra
  - hello
exclude-packages: [tinyos-failpost]
add-files: [[file, /usr/share/added]]
remove-files: [usr/bin/vi]
remove-from-packages: [[tinyos-extra, "/usr/share/tinyos/ex.*"]]
add-commit-metadata: {example.number: 5, example.list: [a, true]}
postprocess:
  - |
    #!/bin/sh
    set -e
    echo early >/usr/share/order
    mkdir -p /var/lib/thing
    chmod 750 /var/lib/thing
  - |
    #!/bin/sh
    ls -A /proc | grep -q self && test -c /dev/null && echo again >>/usr/share/order
postprocess-script: late.sh
`)
	c := b.compose(materialize.ComposeRequest{})
	list := b.list(c)
	for _, unwanted := range []string{"/usr/bin/vi\n", "/usr/bin/vi ", "/usr/share/tinyos/extra"} {
		if strings.Contains(list, unwanted) {
			t.Errorf("%s was not removed", unwanted)
		}
	}
	if got := b.cat(c, "/usr/share/added"); got != "added\n" {
		t.Errorf("add-files: %q", got)
	}
	if got := b.cat(c, "/usr/share/order"); got != "early\nagain\nlate\n" {
		t.Errorf("scripts ran as %q", got)
	}
	if got := b.cat(c, "/usr/lib/tmpfiles.d/rpm-ostree-autovar.conf"); !strings.Contains(got, "d /var/lib/thing 0750 root root - -\n") {
		t.Errorf("tmpfiles.d: %s", got)
	}
	object, err := compose.ReadCommit(c.Repo, c.Checksum)
	if err != nil || object.Metadata["example.number"] != int64(5) {
		t.Errorf("metadata %v, %v", object.Metadata["example.number"], err)
	}
}

func TestDNFOverrides(t *testing.T) {
	b := newBench(t)
	b.add("hello")
	b.do(tinyos.Publish(t.Context(), b.os, tinyos.Hello("2.0")))
	b.config("manifest-lock.x86_64.json", `{"packages":{"hello":{"evra":"1.0-1.noarch"}}}`)
	if c := b.compose(materialize.ComposeRequest{}); !strings.Contains(string(c.Lockfile), `"evra": "1.0-1.noarch"`) {
		t.Errorf("the lockfile was not honoured: %s", c.Lockfile)
	}
	// An older package in overrides/rpm wins over a newer in a repository.
	b.do(os.MkdirAll(filepath.Join(b.cfg.Workdir, "overrides/rpm"), 0o755))
	b.do(os.Rename(filepath.Join(b.os, "repo/hello-1.0-1.noarch.rpm"), filepath.Join(b.cfg.Workdir, "overrides/rpm/hello-1.0-1.noarch.rpm")))
	b.do(tinyos.Publish(t.Context(), b.os))
	b.do(os.Remove(filepath.Join(b.os, "config/manifest-lock.x86_64.json")))
	b.do(os.MkdirAll(filepath.Join(b.cfg.Workdir, "overrides/rootfs/usr/share/tinyos"), 0o755))
	b.do(os.WriteFile(filepath.Join(b.cfg.Workdir, "overrides/rootfs/usr/share/tinyos/motd"), []byte("mine\n"), 0o666))
	c := b.compose(materialize.ComposeRequest{})
	if got := b.cat(c, "/usr/bin/hello"); !strings.Contains(got, "hello 1.0") {
		t.Errorf("overrides/rpm: %s", got)
	}
	if got := b.cat(c, "/usr/share/tinyos/motd"); got != "mine\n" {
		t.Errorf("overrides/rootfs: %q", got)
	}
}

func TestDNFFailures(t *testing.T) {
	b := newBench(t)
	manifest, err := os.ReadFile(filepath.Join(b.os, "config/manifest.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, manifest string
		class          materialize.Class
		says, hint     string
	}{
		{"missing package", "  - nonsense\n", materialize.ClassPackage, "Packages not found: nonsense", "manifest.yaml"},
		{"missing dependency", "  - tinyos-broken\n", materialize.ClassPackage, "nothing provides nonesuch", "repository"},
		{"failing scriptlet", "  - tinyos-failpost\n", materialize.ClassPackage, "%post scriptlet of package tinyos-failpost-1.0-1.noarch failed, exit status 7", "package"},
		{"excluded", "exclude-packages: [tinyos-busybox]\n", materialize.ClassPackage, "tinyos-busybox", ""},
		{"package of no repository", "repo-packages: [{repo: nowhere, packages: [hello]}]\n", materialize.ClassPackage, "Packages not found: hello", ""},
		{"script", "postprocess: [\"#!/bin/sh\\necho told why\\nexit 3\\n\"]\n", materialize.ClassConfig, "exit status 3: told why", "postprocess in"},
		{"unit", "units: [nothing.service]\n", materialize.ClassConfig, "nothing.service", "units"},
		{"refused key", "ima: true\n", materialize.ClassConfig, "ima", "rpm-ostree"},
		{"removes a kernel", "remove-files: [usr/lib/modules]\n", materialize.ClassConfig, "no kernel", "kernel package"},
		{"removes everything", "remove-files: [/]\n", materialize.ClassConfig, "whole tree", "remove-files"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b.config("manifest.yaml", string(manifest)+tt.manifest)
			_, err := b.try(t.Context(), materialize.ComposeRequest{})
			class, hint := materialize.ClassOf(err)
			if err == nil || class != tt.class || !strings.Contains(err.Error(), tt.says) || !strings.Contains(hint, tt.hint) {
				t.Errorf("class %s, error %v, hint %q\n%s", class, err, hint, b.log.String())
			}
		})
	}
}

func TestDNFNoKernel(t *testing.T) {
	b := newBench(t)
	b.do(tinyos.RemovePackages(t.Context(), b.os, "kernel"))
	_, err := b.try(t.Context(), materialize.ComposeRequest{})
	if class, hint := materialize.ClassOf(err); class != materialize.ClassConfig || !strings.Contains(hint, "kernel package") {
		t.Errorf("%v, class %s, hint %s", err, class, hint)
	}
}

func TestDNFUnreachable(t *testing.T) {
	b := newBench(t)
	b.config("tinyos.repo", "[tinyos]\nname=tinyos\nbaseurl=http://127.0.0.1:9/\ngpgcheck=0\n")
	_, err := b.try(t.Context(), materialize.ComposeRequest{})
	if class, _ := materialize.ClassOf(err); class != materialize.ClassNetwork {
		t.Errorf("a repository that does not answer: %v, class %s", err, class)
	}
}

func TestDNFNoSpace(t *testing.T) {
	b := newBench(t)
	scratch := t.TempDir()
	if err := unix.Mount("tmpfs", scratch, "tmpfs", 0, "size=12m"); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	t.Cleanup(func() { b.do(unix.Unmount(scratch, unix.MNT_DETACH)) })
	b.log = &logbuf.Buffer{}
	task := &materialize.Task{Scratch: scratch, Log: b.log}
	_, err := compose.NewDNF(b.cfg).Compose(t.Context(), materialize.ComposeRequest{Arch: "x86_64"}, task)
	if class, hint := materialize.ClassOf(err); class != materialize.ClassSpace || hint == "" {
		t.Errorf("a full disk: %v, class %s\n%s", err, class, b.log.String())
	}
}

func TestDNFCancelled(t *testing.T) {
	b := newBench(t)
	b.append("postprocess: [\"#!/bin/sh\\nsleep 300\\n\"]\n")
	why := errors.New("nobody wants it")
	ctx, cancel := context.WithCancelCause(t.Context())
	task := &materialize.Task{Scratch: t.TempDir(), Log: writerFunc(func(p []byte) {
		if bytes.Contains(p, []byte("postprocess")) {
			cancel(why)
		}
	})}
	_, err := compose.NewDNF(b.cfg).Compose(ctx, materialize.ComposeRequest{Arch: "x86_64"}, task)
	if !errors.Is(err, why) {
		t.Errorf("cancelled: %v", err)
	}
}

// A writerFunc is called for everything that is written.
type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }
