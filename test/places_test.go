package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cosafs/test/need"
)

// in runs a shell script in a mount namespace of its own, in which setup was
// run before, and gives what it printed on standard error.
func (e *env) in(setup, script string) string {
	e.Helper()
	cmd := e.command("unshare", "--mount", "sh", "-c", "set -e\n"+setup+"\nset +e\n"+script)
	cmd.Env = append(cmd.Env, "COSAFS="+shared.cosafs, "W="+e.work, "M="+e.mnt, "XDG_CACHE_HOME="+filepath.Join(e.dir, "xdg"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil && stderr.Len() == 0 {
		e.Fatalf("%s: %v", script, err)
	}
	return stderr.String()
}

// A working directory that can't be written to shows what it has.
func TestPlaceReadOnly(t *testing.T) {
	needAll(t)
	e := newEnv(t)
	e.cosafs("build", "ostree")
	const ro = `mount --bind "$W" "$W"; mount -o remount,ro,bind "$W"`
	clear(t, e.in(ro, `"$COSAFS" -C "$W" build`), `read-only file system`)
	clear(t, e.in(ro, `"$COSAFS" -C "$W" tag good`), `read-only file system`)
	id := e.latest()
	said := e.in(ro, fmt.Sprintf(`
		"$COSAFS" -C "$W" list | grep -qx %[1]s || echo not listed >&2
		"$COSAFS" -C "$W" mount "$M" || exit
		cmp "$M/%[1]s/x86_64/meta.json" "$W/builds/%[1]s/x86_64/meta.json" >&2
		head -c 1 "$M/next/x86_64/qemu.qcow2" 2>/dev/null && echo opened >&2
		getfattr --absolute-names --only-values -n user.cosafs.reason "$M/next/x86_64/qemu.qcow2" | grep -q read-only || echo no reason >&2
		"$COSAFS" umount "$M"`, id))
	if said != "" {
		t.Errorf("reading it: %s", said)
	}
	if out := e.cosafs("build", "ostree"); !strings.Contains(out, "nothing changed") {
		t.Errorf("once it can be written again: %s", out)
	}
}

// Without /dev/fuse there are no mounts; everything else works.
func TestPlaceWithoutFuse(t *testing.T) {
	needAll(t)
	e := newEnv(t)
	for what, hide := range map[string]string{
		"another device": `mount --bind /dev/null /dev/fuse`,
		"no device":      `mount -t tmpfs tmpfs /dev; mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/urandom c 1 9`,
	} {
		clear(t, e.in(hide, `"$COSAFS" -C "$W" mount "$M"`), `/dev/fuse`)
		if said := e.in(hide, `"$COSAFS" -C "$W" list`); said != "" {
			t.Errorf("%s: list: %s", what, said)
		}
		if said := e.in(hide, `"$COSAFS" -C "$W" doctor 2>/dev/null | grep -q "^missing */dev/fuse" || echo not told >&2`); said != "" {
			t.Errorf("%s: doctor: %s", what, said)
		}
	}
	e.mount() // nothing is in the way of the next one
}

// A full disk loses nothing, and pruning works on it.
func TestPlaceFull(t *testing.T) {
	needAll(t)
	e := newEnv(t)
	small := e.smallWork("2g")
	small.cosafs("build", "ostree")
	first := small.latest()
	small.cosafs("build", "ostree", "--force")
	second := small.latest()
	before := small.read("builds", "builds.json")
	fill := filepath.Join(filepath.Dir(small.work), "fill")
	full := func() { _, _, _ = small.try("dd", "if=/dev/zero", "bs=1M", "of="+fill) } // it ends with the error that is wanted

	full()
	clear(t, small.refused("build", "--force", "ostree"), `no space left on device`)
	clear(t, small.refused("tag", "good"), `no space left on device`)
	small.mount()
	if _, stderr, err := small.try("cat", small.path("next", "x86_64", "qemu.qcow2")); err == nil || !strings.Contains(stderr, "No space left") {
		t.Errorf("open of a missing image: %v, %s", err, stderr)
	}
	for _, id := range []string{first, second} {
		if got := small.sh("cat", small.path(id, "x86_64", "meta.json")); got != small.read("builds", id, "x86_64", "meta.json") {
			t.Errorf("%s is not served", id)
		}
	}
	if got := small.read("builds", "builds.json"); got != before {
		t.Errorf("builds.json became %s", got)
	}
	small.cosafs("prune", "-n", "1")
	if got := small.builds(); len(got) != 1 || got[0] != second {
		t.Errorf("builds after pruning: %v", got)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	small.cosafs("build", "--force", "ostree")
	small.nothingLeft()
}

// Space that goes while a virtual machine writes ends it with that reason.
func TestPlaceFillsUp(t *testing.T) {
	needAll(t)
	small := newEnv(t).smallWork("3g")
	small.cosafs("build", "ostree")
	fill := filepath.Join(filepath.Dir(small.work), "fill")
	build := small.command(shared.cosafs, "--workdir", small.work, "build", "qemu")
	var said strings.Builder
	build.Stderr = &said
	if err := build.Start(); err != nil {
		t.Fatal(err)
	}
	small.eventually("the virtual machine writes", time.Minute, func() bool {
		jobs := small.jobs()
		return len(jobs) > 0 && (jobs[0].Phase == "pull" || jobs[0].Phase == "deploy")
	})
	// It stands still meanwhile: else it may have all it needs before the disk is full.
	small.sh("pkill", "-STOP", "-f", "qemu-system.*"+small.dir)
	_, _, _ = small.try("dd", "if=/dev/zero", "bs=1M", "of="+fill) // it ends with the error that is wanted
	small.sh("pkill", "-CONT", "-f", "qemu-system.*"+small.dir)
	if err := build.Wait(); err == nil {
		t.Fatal("the build succeeded on a full disk")
	}
	clear(t, said.String(), `no space left on device`)
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	small.nothingLeft()
	small.intact(small.latest())
	if p := small.cosafs("plan", "qemu"); !strings.Contains(p, "no space left on device") {
		t.Errorf("the plan does not say why there is no image: %s", p)
	}
}

// smallWork is an environment whose working directory lies on a file system of
// the size, with the same configuration.
func (e *env) smallWork(size string) *env {
	e.Helper()
	c := *e
	disk := filepath.Join(e.dir, "disk")
	c.mkdir(disk)
	c.sh("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", disk)
	c.Cleanup(func() { _ = exec.Command("umount", "--lazy", disk).Run() }) // the directory can't be deleted with it
	c.work = filepath.Join(disk, "work")
	c.cosafs("init", filepath.Join(e.os, "config"))
	c.mkdir(filepath.Join(c.work, "cache", "cosafs"))
	if err := os.Symlink(filepath.Join(shared.dir, "appliance"), filepath.Join(c.work, "cache", "cosafs", "appliance")); err != nil {
		e.Fatal(err)
	}
	return &c
}

// python gives an interpreter that has cosa's lock library.
func (e *env) python() string {
	e.Helper()
	var err error
	for _, p := range []string{"python3", "/usr/bin/python3"} {
		if _, _, err = e.try(p, "-c", "import flufl.lock"); err == nil {
			return p
		}
	}
	need.Lacking(e, "flufl", err)
	return ""
}

// A lock of somebody else is named, with the file to remove, and left alone.
func TestPlaceLocked(t *testing.T) {
	needAll(t)
	e := newEnv(t)
	python := e.python()
	e.cosafs("build", "ostree")
	lock := filepath.Join(e.work, "builds", ".builds.json.lock")
	holder := e.command(python, "-c", `
import sys
from datetime import timedelta
from flufl.lock import Lock
lock = Lock(sys.argv[1], lifetime=timedelta(minutes=10))
lock.lock()
print("locked", flush=True)
sys.stdin.read()
lock.unlock()`, lock)
	in, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	c := *e
	c.environ = append(append([]string{}, e.environ...), "COSAFS_LOCKWAIT=1s")
	said := c.refused("tag", "good")
	clear(t, said, `builds\.json`)
	if !strings.Contains(said, lock) {
		t.Errorf("the lock to remove is not named: %s", said)
	}
	if !strings.Contains(e.cosafs("list"), e.latest()) {
		t.Error("nothing is listed")
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := holder.Wait(); err != nil {
		t.Errorf("the lock was taken away from its holder: %v", err)
	}
	e.cosafs("tag", "good")
}
