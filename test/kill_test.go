package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cosafs/test/tinyos"
)

// The daemon dies by SIGKILL at ten moments of a build. Each time the next mount
// replaces the dead one and serves a right tree, nothing half done is to be
// seen, no virtual machine, mount or scratch stays; and in the end it builds.
func TestKilledDaemonLeavesARightTree(t *testing.T) {
	t.Parallel()
	needAll(t)
	e := newEnv(t)
	e.mount()
	src := e.path("next", "x86_64", "qemu.qcow2")
	manifest := e.read("src", "config", "manifest.yaml")
	for moment := range 10 {
		// Other inputs each time: there is a whole build ahead of every moment.
		e.edit("manifest.yaml", func(string) string {
			return manifest + fmt.Sprintf("add-commit-metadata:\n  moment: \"%d\"\n", moment)
		})
		cat := e.command("cat", src)
		if err := cat.Start(); err != nil {
			t.Fatal(err)
		}
		e.waitMoment(moment)
		e.killDaemon()
		_ = cat.Wait() // its file system died under it
		e.cosafs("mount", e.mnt)
		e.rightTree()
		e.nothingLeft()
	}
	e.sh("qemu-img", "check", src)
	id := e.latest()
	e.boots(tinyos.BootConfig{Disk: e.path(id, "x86_64", "qemu.qcow2"), Format: "qcow2"}, e.meta(id).Commit, "qemu")
	e.rightTree()
}

// waitMoment waits for the n-th moment of a build, or for the build's end if it
// was too quick to be seen in it.
func (e *env) waitMoment(n int) {
	e.Helper()
	phases := []string{"prepare", "compose", "install", "commit", "export", "base disk", "mkfs", "deploy", "bootloader", "qemu"}
	want := phases[n]
	seen := false
	e.eventually("the build reaches "+want, 3*time.Minute, func() bool {
		jobs := e.jobs()
		if seen && len(jobs) == 0 {
			return true
		}
		for _, j := range jobs {
			seen = true
			if strings.Contains(j.Title+" "+j.Phase, want) {
				return true
			}
		}
		return false
	})
}

func (e *env) killDaemon() {
	e.Helper()
	var st struct{ PID int }
	if err := json.Unmarshal([]byte(e.cosafs("--json", "status")), &st); err != nil {
		e.Fatal(err)
	}
	if err := syscall.Kill(st.PID, syscall.SIGKILL); err != nil {
		e.Fatal(err)
	}
	e.eventually("the daemon is dead", 10*time.Second, func() bool { return syscall.Kill(st.PID, 0) != nil })
}

// rightTree checks what the tree shows against what is recorded: every listed
// build is whole, latest is the newest, and builds/ holds nothing else.
func (e *env) rightTree() {
	e.Helper()
	ids := e.builds()
	for _, id := range ids {
		e.intact(id)
		e.sh("ls", "-l", e.path(id, "x86_64"))
		if shown, want := e.sh("cat", e.path(id, "x86_64", "meta.json")), e.read("builds", id, "x86_64", "meta.json"); shown != want {
			e.Errorf("the mount shows another meta.json of %s", id)
		}
	}
	if len(ids) > 0 && (e.latest() != ids[0] || e.sh("readlink", e.path("latest")) != ids[0]+"\n") {
		e.Errorf("latest is %s, on the mount %s; want %s", e.latest(), e.sh("readlink", e.path("latest")), ids[0])
	}
	e.onlyKnown(ids)
}

func (e *env) read(parts ...string) string {
	e.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{e.work}, parts...)...))
	if err != nil {
		e.Fatal(err)
	}
	return string(b)
}

// onlyKnown checks that builds/ has no orphan, temporary file or stale lock.
func (e *env) onlyKnown(ids []string) {
	e.Helper()
	known := map[string]bool{"builds.json": true, "latest": true}
	for _, id := range ids {
		known[id] = true
	}
	err := filepath.WalkDir(filepath.Join(e.work, "builds"), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(filepath.Join(e.work, "builds"), path)
		if err != nil || rel == "." {
			return err
		}
		top, _, _ := strings.Cut(rel, "/")
		if !known[top] || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "tmp") {
			e.Errorf("left behind in builds: %s", rel)
		}
		return nil
	})
	if err != nil {
		e.Error(err)
	}
}
