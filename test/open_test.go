package test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cosafs/test/tinyos"
)

// The main job: an image that exists nowhere is opened through a mount of an
// empty build directory, and what comes boots into the recorded commit.
func TestMissingImageOpensAndBoots(t *testing.T) {
	t.Parallel()
	needAll(t)
	needTools(t, "ovmf")
	e := newEnv(t)
	e.mount()
	qcow2 := e.path("next", "x86_64", "qemu.qcow2")
	if info := e.sh("qemu-img", "info", qcow2); !strings.Contains(info, "file format: qcow2") {
		t.Errorf("qemu-img info says: %s", info)
	}
	jobs := e.jobFolders()
	e.sh("qemu-img", "check", qcow2)
	if n := e.jobFolders(); n != jobs {
		t.Errorf("the second open started %d jobs", n-jobs)
	}
	id := e.latest()
	commit := e.meta(id).Commit
	for _, uefi := range []bool{false, true} {
		e.boots(tinyos.BootConfig{Disk: e.path(id, "x86_64", "qemu.qcow2"), Format: "qcow2", UEFI: uefi}, commit, "qemu")
	}
	raw := e.path(id, "x86_64", "metal.raw") // not built yet: this open writes it from the same disk
	if err := head(raw); err != nil {
		t.Fatal(err)
	}
	for _, uefi := range []bool{false, true} {
		e.boots(tinyos.BootConfig{Disk: raw, UEFI: uefi}, commit, "metal")
	}
	if n := e.vmRuns(); n != 1 {
		t.Errorf("%d virtual machines wrote disks for one commit, want 1", n)
	}
	e.intact(id)
}

func head(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = f.Read(make([]byte, 512))
	return errors.Join(err, f.Close())
}

var (
	deployment = regexp.MustCompile(`tinyos: deployment ([0-9a-f]{64})`)
	platform   = regexp.MustCompile(`ignition\.platform\.id=(\w+)`)
)

// boots starts a disk and checks what its console says of commit and platform.
func (e *env) boots(cfg tinyos.BootConfig, commit, platformID string) {
	e.Helper()
	console, err := tinyos.Boot(e.Context(), cfg)
	if err != nil {
		e.Fatalf("boot %+v: %v\n%s", cfg, err, console)
	}
	e.isUp(fmt.Sprintf("boot %+v", cfg), string(console), commit, platformID)
}

// isUp checks what a console says of commit and platform.
func (e *env) isUp(what, console, commit, platformID string) {
	e.Helper()
	if m := deployment.FindStringSubmatch(console); m == nil || m[1] != commit {
		e.Errorf("%s: deployment %q, want commit %s\n%s", what, m, commit, console)
	}
	if m := platform.FindStringSubmatch(console); m == nil || m[1] != platformID {
		e.Errorf("%s: platform %q, want %s\n%s", what, m, platformID, console)
	}
}

// vmRuns counts the base disks that were written.
func (e *env) vmRuns() int { return e.jobsTitled("base disk") }

// jobsTitled counts the jobs that ever were whose titles begin so.
func (e *env) jobsTitled(title string) int {
	e.Helper()
	plans, err := filepath.Glob(filepath.Join(e.work, "cache", "cosafs", "jobs", "*", "progress"))
	if err != nil {
		e.Fatal(err)
	}
	n := 0
	for _, p := range plans {
		if b, err := os.ReadFile(p); err == nil && bytes.Contains(b, []byte(`"title":"`+title)) {
			n++
		}
	}
	return n
}

// intact checks every artifact of a build against its recorded size and digest,
// in the build directory.
func (e *env) intact(build string) {
	e.Helper()
	m := e.meta(build)
	if len(m.Images) == 0 {
		e.Errorf("build %s records no images", build)
	}
	for kind, im := range m.Images {
		path := filepath.Join(e.work, "builds", build, "x86_64", im.Path)
		if st, err := os.Stat(path); err != nil || st.Size() != im.Size {
			e.Errorf("%s of %s: size %v, %v; recorded %d", kind, build, st, err, im.Size)
			continue
		}
		if sum, _, _ := strings.Cut(e.sh("sha256sum", path), " "); sum != im.SHA256 {
			e.Errorf("%s of %s: sha256 %s, recorded %s", kind, build, sum, im.SHA256)
		}
	}
}

// Reading through the mount gives exactly the recorded bytes, to every tool.
func TestToolsReadExactBytes(t *testing.T) {
	t.Parallel()
	needAll(t)
	needTools(t, "rsync", "python3")
	e := newEnv(t)
	e.mount()
	src := e.path("next", "x86_64", "qemu.qcow2")
	out := filepath.Join(e.dir, "out")
	e.sh("cp", src, out) // the one that builds it
	m := e.meta(e.latest())
	want := m.Images["qemu"].SHA256
	tools := map[string]string{
		"cp":       "cp " + src + " " + out,
		"cat":      "cat " + src + " >" + out,
		"dd":       "dd status=none bs=1M if=" + src + " of=" + out,
		"rsync":    "rsync " + src + " " + out,
		"qemu-img": "qemu-img convert -O raw " + src + " " + out + ".raw && qemu-img compare -f qcow2 -F raw " + src + " " + out + ".raw && cp " + src + " " + out,
		"python":   `python3 -c 'import mmap,sys; f=open(sys.argv[1],"rb"); open(sys.argv[2],"wb").write(mmap.mmap(f.fileno(),0,access=mmap.ACCESS_READ))' ` + src + " " + out,
	}
	for name, script := range tools {
		if err := os.Remove(out); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if b, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, b)
			continue
		}
		if sum, _, _ := strings.Cut(e.sh("sha256sum", out), " "); sum != want {
			t.Errorf("%s read other bytes: %s, want %s", name, sum, want)
		}
	}
}

// A disk of 4096-byte sectors is written by a virtual machine of its own, and
// boots under UEFI.
func TestMetal4kBoots(t *testing.T) {
	t.Parallel()
	needAll(t)
	needTools(t, "ovmf")
	e := newEnv(t)
	e.mount()
	disk := e.path("next", "x86_64", "metal4k.raw")
	if err := head(disk); err != nil {
		t.Fatal(err)
	}
	e.boots(tinyos.BootConfig{Disk: disk, Sector: 4096, UEFI: true}, e.meta(e.latest()).Commit, "metal")
}
