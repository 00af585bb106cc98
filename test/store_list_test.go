package test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cosafs/index"
	"cosafs/test/storegen"
)

// A bucket with ten thousand builds for four architectures: once the mount knows
// it, looking at it asks nobody anything, and the daemon stays small.
func TestStoreOfTenThousandBuilds(t *testing.T) {
	const builds = 10_000
	needStores(t)
	inMemory(t)
	arches := []index.Arch{"x86_64", "aarch64", "ppc64le", "s390x"}
	began := time.Now()
	r := newRemote(t, storegen.Config{Builds: builds, Arches: arches})
	t.Logf("the bucket is made in %v", time.Since(began).Round(time.Second))
	e := newStoreEnv(t, "--store", r.url(), "--refresh", "1h")

	began = time.Now()
	daemon := e.start()
	e.awaitAnswer(daemon, 5*time.Minute)
	answered := time.Since(began)
	e.shows(builds, r.proxy)
	c := r.proxy.Counts()
	t.Logf("first sync: the mount answers after %v, all is known after %v; requests %v, %d MiB received", answered.Round(time.Millisecond),
		time.Since(began).Round(time.Second), c.Requests, c.Sent>>20)
	t.Logf("catalog and cache take %d MiB on disk", diskUsage(t, filepath.Join(e.dir, "cache"))>>20)
	e.small(daemon.Process.Pid, "after the sync")

	r.proxy.Reset()
	id := string(r.IDs[builds/2])
	for _, look := range []struct {
		command []string
		lines   int // 0 = any
	}{
		{[]string{"ls", e.mnt}, builds + 2},
		{[]string{"ls", "-l", e.path(id, "x86_64")}, 5}, // the total, meta.json, commitmeta.json, two images
		{[]string{"find", e.mnt, "-name", "*.qcow2", "-size", "+1k"}, builds * len(arches)},
		{[]string{"find", e.mnt, "-type", "f", "-not", "-path", e.path(".cosafs", "*")}, builds*len(arches)*4 + 1}, // and builds.json
		{[]string{"readlink", e.path("latest")}, 1},
	} {
		began := time.Now()
		out := e.sh(look.command[0], look.command[1:]...)
		if n := strings.Count(out, "\n"); n != look.lines {
			t.Errorf("%v gives %d lines; want %d", look.command, n, look.lines)
		}
		t.Logf("%s: %v, %d requests", strings.Join(look.command, " "), time.Since(began).Round(time.Millisecond), r.proxy.Counts().Total())
	}
	if c := r.proxy.Counts(); c.Total() != 0 {
		t.Errorf("looking made %d requests, the first of them %q; want none", c.Total(), c.Last)
	}
	e.small(daemon.Process.Pid, "after all was looked at")
}

// small checks that a daemon has less than 200 MB of memory of its own. What the
// kernel can take back at any time, mapped files, is reported.
func (e *storeEnv) small(pid int, when string) {
	e.Helper()
	const limit = 200 << 20
	resident, anonymous, peak := memory(e, pid)
	e.Logf("memory %s: %d MiB resident, %d MiB of it anonymous; at most %d MiB resident so far", when, resident>>20, anonymous>>20, peak>>20)
	if anonymous > limit {
		e.Errorf("the daemon has %d MiB %s; want at most %d", anonymous>>20, when, limit>>20)
	}
}
