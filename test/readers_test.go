package test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A hundred processes of four kinds open one missing image at once: one
// virtual machine, and the same bytes for everyone.
func TestHundredReadersOneBuild(t *testing.T) {
	t.Parallel()
	needAll(t)
	needTools(t, "python3")
	e := newEnv(t)
	e.mount()
	src := e.path("next", "x86_64", "qemu.qcow2")
	out := func(i int) string { return fmt.Sprintf("%s/out.%d", e.dir, i) }
	scripts := []string{
		"sha256sum < " + src,
		"cp " + src + " OUT && sha256sum < OUT && rm OUT",
		"qemu-img info -U " + src + " > /dev/null && sha256sum < " + src,
		`python3 -c 'import hashlib,sys; print(hashlib.sha256(open(sys.argv[1],"rb").read()).hexdigest())' ` + src,
	}
	sums := make([]string, 100)
	var wg sync.WaitGroup
	for i := range sums {
		wg.Go(func() {
			script := strings.ReplaceAll(scripts[i%len(scripts)], "OUT", out(i))
			var stderr bytes.Buffer
			cmd := e.command("sh", "-c", script)
			cmd.Stderr = &stderr
			b, err := cmd.Output()
			if err != nil {
				t.Errorf("reader %d: %v: %s", i, err, stderr.String())
			}
			sums[i], _, _ = strings.Cut(strings.TrimSpace(string(b)), " ")
		})
	}
	wg.Wait()
	want := e.meta(e.latest()).Images["qemu"].SHA256
	for i, sum := range sums {
		if sum != want {
			t.Errorf("reader %d got %s, want %s", i, sum, want)
		}
	}
	if n := e.vmRuns(); n != 1 {
		t.Errorf("%d virtual machines ran, want 1", n)
	}
	if got := e.builds(); len(got) != 1 {
		t.Errorf("builds %v, want one", got)
	}
}

// ^C on a cat that waits for a build ends it within a second, and the job ends
// when nobody waits for it any more.
func TestInterruptedOpenEndsAtOnce(t *testing.T) {
	needAll(t)
	e := newEnv(t)
	e.mount()
	for _, phase := range []string{"", "base disk"} { // as soon as any job runs, and in the virtual machine
		cat := e.command("cat", e.path("next", "x86_64", "qemu.qcow2"))
		if err := cat.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cat.Wait() }()
		e.eventually("a job runs: "+phase, 3*time.Minute, func() bool { return e.runs(phase) })
		if err := cat.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		select {
		case err := <-ended:
			if took := time.Since(began); took > time.Second || !interrupted(err) {
				t.Errorf("cat ended after %s with %v, want at once by the signal", took, err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("cat did not end")
		}
		e.eventually("no job runs", 30*time.Second, func() bool { return len(e.jobs()) == 0 })
		e.nothingLeft()
	}
}

func (e *env) runs(what string) bool {
	for _, j := range e.jobs() {
		if j.State == "running" && (strings.Contains(j.Title, what) || strings.Contains(j.Phase, what)) {
			return true
		}
	}
	return false
}

func interrupted(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	ws, ok := exit.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGINT
}

// Crawling over the mount starts no job and reads no byte of an image.
func TestCrawlersStartNothing(t *testing.T) {
	needAll(t)
	needTools(t, "updatedb")
	e := newEnv(t)
	e.cosafs("build", "ostree")
	e.mount()
	jobs := e.jobFolders()
	for _, crawl := range []string{
		"ls -lR " + e.mnt, "find " + e.mnt + " -size +1 -type f", "du -a " + e.mnt, "ls -l " + e.mnt + "/next/x86_64",
		"updatedb -U " + e.mnt + " -o " + e.dir + "/db -l no --prunefs '' --prunepaths ''", "stat " + e.path("next", "x86_64", "qemu.qcow2"),
		"rsync -n -a " + e.mnt + "/ " + e.dir + "/copy", "cp -r " + e.mnt + "/latest/ " + e.dir + "/cp",
	} {
		e.sh("sh", "-c", crawl)
	}
	if all := e.cosafs("ls", "--all"); !strings.Contains(all, "next/x86_64/qemu.qcow2") {
		t.Errorf("ls --all does not show what could be made:\n%s", all)
	}
	if n := e.jobFolders(); n != jobs {
		t.Errorf("crawling started %d jobs", n-jobs)
	}
}
