package davclient_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cosafs/test/davclient"
)

// Whatever a client started and mounted is gone when it is killed.
func TestKillLeavesNothing(t *testing.T) {
	c := davclient.Client{Name: "daemons", Tools: []string{"setsid"}, Script: `
		mkdir mnt; mount -t tmpfs tmpfs mnt; setsid -f sleep 1000 >/dev/null 2>&1; touch "$NAME"; sleep 1000`}
	c.Need(t)
	f := c.Start(t, "http://127.0.0.1:1/dir/ready")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for _, err := os.Stat(f.File); err != nil; _, err = os.Stat(f.File) {
		select {
		case <-tick.C:
		case <-f.Ended():
			t.Fatal(f.Wait())
		case <-ctx.Done():
			t.Fatal("the script does not get to its end")
		}
	}
	dir := filepath.Dir(f.File)
	if n := len(inside(t, dir)); n < 3 {
		t.Errorf("%d processes run in the directory, want the shell and two of its children at least", n)
	}
	f.Kill()
	if left := inside(t, dir); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("a mount is left, or %v", err)
	}
}

// inside lists the processes that run in a directory.
func inside(t *testing.T, dir string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	var in []string
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && at == dir {
			in = append(in, link)
		}
	}
	return in
}
