package workdir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cosafs/materialize"
	"cosafs/vfs"
)

// openDir opens a working directory.
func openDir(t *testing.T, dir string) *Workdir {
	t.Helper()
	w, err := Open(t.Context(), Config{Dir: dir, Engine: "dnf", Arch: testArch, Lock: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return w
}

// newWorkdir opens a new working directory with a configuration.
func newWorkdir(t *testing.T) *Workdir {
	t.Helper()
	dir := newDir(t)
	put(t, filepath.Join(dir, "src", "config", "manifest.yaml"), "repos:\n  - tiny\npackages:\n  - bash\n")
	put(t, filepath.Join(dir, "src", "config", "tiny.repo"), "[tiny]\nname=tiny\nbaseurl=file:///nowhere\n")
	put(t, filepath.Join(dir, "src", "config", "image.yaml"), "size: 1\n")
	return openDir(t, dir)
}

func TestOpenOfNoWorkdir(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		_, err := Open(t.Context(), Config{Dir: dir})
		if _, hint := materialize.ClassOf(err); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(hint, "cosafs init") {
			t.Errorf("open of %s: %v", dir, err)
		}
	}
}

func TestOpenFinishesWhatWasKilled(t *testing.T) {
	dir := newDir(t)
	r := openRecords(t, dir)
	n := newBuild(t, r, 1)
	die(t, r, note{ID: n.ID, Arch: n.Arch})
	if err := publishDir(r, n); err != nil {
		t.Fatal(err)
	}
	snap := openDir(t, dir).Library().Snapshot()
	if len(snap.Builds) != 1 || snap.Builds[0].ID != "1.1" || snap.Latest != "1.1" {
		t.Errorf("snapshot = %+v", snap)
	}
}

// With a builds.json that can't be read the rest can still be used, and says why.
func TestOpenWithUnreadableList(t *testing.T) {
	dir := newDir(t)
	put(t, filepath.Join(dir, "builds", "builds.json"), "{")
	w := openDir(t, dir)
	if got := string(w.Library().Status()); !strings.Contains(got, "builds.json") {
		t.Errorf("status:\n%s", got)
	}
	if snap := w.Library().Snapshot(); len(snap.Next) != 1 || len(snap.Top) != 1 {
		t.Errorf("snapshot = %+v", snap)
	}
	if _, err := w.Builds(t.Context()); err == nil {
		t.Error("builds were listed")
	}
	changed := w.Library().Changed()
	put(t, filepath.Join(dir, "builds", "builds.json"), `{"schema-version": "1.0.0", "builds": []}`)
	w.look()
	<-changed
	if got := string(w.Library().Status()); strings.Contains(got, "builds.json") {
		t.Errorf("status after it was mended:\n%s", got)
	}
}

// names gives the names of entries.
func names(files []vfs.Entry) []string {
	var all []string
	for _, f := range files {
		all = append(all, f.Name)
	}
	return all
}

func TestSnapshotListsPlainFiles(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1)
	dir := w.records.path("1.1/x86_64")
	for _, name := range []string{".qemu.building", ".meta.json.lock", "tmpa1b2c3d4", "sub/file", "install.log"} {
		put(t, filepath.Join(dir, name), "x")
	}
	put(t, w.records.path("1.1/release.json"), "{}")
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	w.look()
	snap := w.Library().Snapshot()
	wantNames(t, "top", names(snap.Top), "builds.json")
	wantNames(t, "beside the architectures", names(snap.Builds[0].Files), "release.json")
	files := filesOf(t, snap.Builds[0].Arches[0])
	wantNames(t, "files", names(files), "commitmeta.json", "install.log", "meta.json", "tiny-1.1-ostree.x86_64.tar")
	if f := files[3]; f.Kind != "ostree" || f.SHA256 != digest("ostree 1.1") || f.Size != 10 || f.State != materialize.StateLocal || f.Source != "workdir" ||
		!f.ModTime.Equal(time.Date(2026, 1, 2, 1, 0, 0, 0, time.UTC)) {
		t.Errorf("the artifact is %+v", f)
	}
}

func TestSnapshotOfDamage(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1, 2, 3)
	if err := errors.Join(os.Truncate(w.records.path("1.1/x86_64/meta.json"), 9), os.RemoveAll(w.records.path("1.2"))); err != nil {
		t.Fatal(err)
	}
	list := w.records.path("builds.json")
	put(t, list, strings.Replace(get(t, list), `"builds": [`, `"builds": [{"id": "next", "arches": ["x86_64"]}, {"id": "../x", "arches": []},`, 1))
	w.look()
	snap := w.Library().Snapshot()
	var shown []string
	for _, b := range snap.Builds {
		shown = append(shown, b.ID)
	}
	wantNames(t, "shown", shown, "1.3", "1.1") // what is there of 1.1 can be looked at
	status := string(w.Library().Status())
	for _, want := range []string{"build 1.1: ", "build 1.2: ", "build next: ", "build builds.json: "} {
		if !strings.Contains(status, want) {
			t.Errorf("status doesn't say %q:\n%s", want, status)
		}
	}
}

// What other processes change is seen, whether or not a time shows it.
func TestWatch(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Watch(ctx)
	}()
	defer func() { stop(); <-done }()
	lib := w.Library()
	grow := func() {
		path := w.records.path("1.1/x86_64/commitmeta.json")
		put(t, path, get(t, path)+" ")
	}
	for _, c := range []struct {
		what   string
		change func()
	}{
		{"a file that grows", grow},
		{"release.json", func() { put(t, w.records.path("1.1/release.json"), "{}") }},
		{"a new build", func() { add(t, openRecords(t, w.root), 2) }},
		{"a build that went", func() { prune(t, openRecords(t, w.root), materialize.PruneRequest{Builds: []string{"1.2"}}) }},
	} {
		changed, before := lib.Changed(), lib.Snapshot().Serial
		c.change()
		<-changed
		if lib.Snapshot().Serial <= before {
			t.Errorf("%s: the serial didn't grow", c.what)
		}
	}
	if n := len(lib.Snapshot().Builds); n != 1 {
		t.Errorf("%d builds are shown, want 1", n)
	}
}

func TestUnchangedTreeKeepsItsSnapshot(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1)
	w.look()
	before := w.Library().Snapshot()
	w.look()
	if w.Library().Snapshot() != before {
		t.Error("looking changed the snapshot")
	}
}

func TestResolve(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1)
	lib := w.Library()
	for name, want := range map[string]vfs.Entry{
		"ostree.tar":                 {Name: "tiny-1.1-ostree.x86_64.tar", Kind: "ostree", State: materialize.StateLocal},
		"tiny-1.1-ostree.x86_64.tar": {Name: "tiny-1.1-ostree.x86_64.tar", Kind: "ostree", State: materialize.StateLocal},
		"qemu.qcow2":                 {Name: "tiny-1.1-qemu.x86_64.qcow2", Kind: "qemu", State: materialize.StateBuildable},
		"tiny-1.1-metal.x86_64.raw":  {Name: "tiny-1.1-metal.x86_64.raw", Kind: "metal", State: materialize.StateBuildable},
	} {
		e, err := lib.Resolve(t.Context(), "1.1", testArch, name)
		if err != nil || e.Name != want.Name || e.Kind != want.Kind || e.State != want.State || e.Build != "1.1" {
			t.Errorf("%s is %+v, %v; want %+v", name, e, err, want)
		}
		if want.State == materialize.StateBuildable && e.Size != -1 {
			t.Errorf("%s: a size was invented: %d", name, e.Size)
		}
	}
	for _, path := range [][3]string{
		{"1.1", testArch, "dasd.raw"}, {"1.1", testArch, "nonesuch"}, {"1.1", "s390x", "qemu.qcow2"}, {"0.9", testArch, "qemu.qcow2"},
		{"next", "s390x", "qemu.qcow2"}, {"next", testArch, "tiny-1.1-qemu.x86_64.qcow2"}, {"..", testArch, "qemu.qcow2"},
	} {
		if e, err := lib.Resolve(t.Context(), path[0], path[1], path[2]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v is %+v, %v; want ErrNotExist", path, e, err)
		}
	}
}

// A file that somebody deleted a moment ago is gone, not unknown: its record stays.
func TestFileDeletedBetweenTwoLooks(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1)
	lib := w.Library()
	e, err := lib.Resolve(t.Context(), "1.1", testArch, "ostree.tar")
	if err := errors.Join(err, os.Remove(w.records.path("1.1/x86_64/"+e.Name))); err != nil {
		t.Fatal(err)
	}
	now, err := lib.Refresh(t.Context(), e)
	if err != nil || now.State != materialize.StateGone || now.Size != e.Size || now.SHA256 != e.SHA256 {
		t.Errorf("Refresh = %+v, %v, want it gone with the size and digest of %+v", now, err, e)
	}
}

func TestPathOutOfTheBuild(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1)
	meta := w.records.path("1.1/x86_64/meta.json")
	put(t, meta, strings.Replace(get(t, meta), `"images": {`, `"images": {"qemu": {"path": "../../../../../../etc/passwd", "sha256": "0"},`, 1))
	e, err := w.Library().Resolve(t.Context(), "1.1", testArch, "qemu.qcow2")
	if err != nil || e.State != materialize.StateGone || strings.Contains(e.Name, "/") {
		t.Errorf("entry = %+v, %v", e, err)
	}
	if b, err := w.Library().Open(t.Context(), e); err == nil {
		t.Errorf("opened %d bytes", b.Size())
	}
}

func TestNext(t *testing.T) {
	w := newWorkdir(t)
	e, err := w.Library().Resolve(t.Context(), "next", testArch, "qemu.qcow2")
	if err != nil || e.State != materialize.StateBuildable || e.Size != -1 || e.Inputs == "" {
		t.Errorf("entry = %+v, %v", e, err)
	}
	put(t, filepath.Join(w.root, "src", "config", "manifest.yaml"), "repos:\n  - tiny\npackages:\n  - zsh\n")
	if _, err := w.Library().Open(t.Context(), e); !errors.Is(err, vfs.ErrStale) {
		t.Errorf("open of a file whose inputs changed: %v, want ErrStale", err)
	}
	wantNames(t, "next/", names(w.Library().Buildable(t.Context(), "next", testArch)), "ostree.tar",
		"aliyun.qcow2", "applehv.raw", "aws.vmdk", "azure.vhd", "azurestack.vhd", "digitalocean.qcow2.gz", "exoscale.qcow2", "gcp.tar.gz", "hetzner.raw",
		"hyperv.vhdx", "ibmcloud.qcow2", "kubevirt.ociarchive", "live-initramfs.img", "live.iso", "live-kernel", "live-rootfs.img", "metal.raw", "metal4k.raw", "nutanix.qcow2", "openstack.qcow2",
		"oraclecloud.qcow2", "powervs.ova.gz", "proxmoxve.qcow2", "qemu.qcow2", "virtualbox.ova", "vmware.ova", "vultr.raw")
	if len(w.runner.Jobs()) != 0 {
		t.Error("looking started jobs")
	}
}

// next/ of a broken configuration is there; opening it tells what is wrong.
func TestNextOfABrokenConfiguration(t *testing.T) {
	w := newWorkdir(t)
	put(t, filepath.Join(w.root, "src", "config", "manifest.yaml"), "frobnicate: true\n")
	e, err := w.Library().Resolve(t.Context(), "next", testArch, "qemu.qcow2")
	if err != nil || e.State != materialize.StateFailed || !strings.Contains(e.Reason, "frobnicate") {
		t.Fatalf("entry = %+v, %v", e, err)
	}
	_, err = w.Library().Open(t.Context(), e)
	if class, _ := materialize.ClassOf(err); class != materialize.ClassConfig || !strings.Contains(err.Error(), "frobnicate") {
		t.Errorf("open = %v (%s)", err, class)
	}
}

func TestReadersKeepABuild(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1, 2)
	e, err := w.Library().Resolve(t.Context(), "1.1", testArch, "ostree.tar")
	if err != nil {
		t.Fatal(err)
	}
	blob, err := w.Library().Open(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	if _, err := blob.ReadAt(t.Context(), p, 0); err != nil || string(p) != "ostree 1.1" || blob.Size() != 10 {
		t.Errorf("read %q of %d, %v", p, blob.Size(), err)
	}
	if f, ok := blob.LocalFile(); !ok || f == nil {
		t.Error("a local file isn't one")
	}
	if !w.busy("1.1") || w.busy("1.2") {
		t.Error("which build is read is not known")
	}
	if err := blob.Close(); err != nil || w.busy("1.1") {
		t.Errorf("after closing: busy %v, %v", w.busy("1.1"), err)
	}
}

// filesOf gives the files of an architecture.
func filesOf(t *testing.T, a vfs.Arch) []vfs.Entry {
	t.Helper()
	files, err := a.Files()
	if err != nil {
		t.Fatal(err)
	}
	return files
}
