package test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cosafs/test/faultproxy"
	"cosafs/test/storegen"
)

// killRounds is how often the daemon dies.
const killRounds = 50

// The daemon dies by SIGKILL while it fills the cache and writes its index, fifty
// times, each time at another request, with one build more. The next mount
// is right each time: the list is the store's, and the bytes of everything too.
func TestStoreKilledDaemon(t *testing.T) {
	t.Parallel()
	needStores(t)
	const old = 10 // builds at the beginning; one more comes each round
	r := newRemote(t, storegen.Config{Builds: old + killRounds, Contents: old + killRounds, Size: 300_000})
	// The cache is too small for all images, so that every round fills it.
	e := newStoreEnv(t, "--store", r.url(), "--refresh", "1h", "--cache-size", "4M")
	chance := rand.New(rand.NewPCG(5, 6)) //nolint:gosec // G404: the same moments each time
	for round := range killRounds {
		if err := r.List(old + round + 1); err != nil {
			t.Fatal(err)
		}
		e.killedRound(r, chance.IntN(40))
		daemon := e.serve()
		e.rightStore(r, old+round+1)
		e.end(daemon)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

// readAll waits for the mount at $2 while process $1 lives, and reads all images.
const readAll = `while kill -0 $1 2>/dev/null && ! test -s "$2/builds.json"; do sleep 0.01; done
cd "$2" && find . -name "*.qcow2" | shuf | xargs -P4 -n4 cat >/dev/null`

// killedRound mounts and reads, and kills the daemon at its n-th request, or at
// the end if it makes fewer.
func (e *storeEnv) killedRound(r *remote, n int) {
	e.Helper()
	moment := make(chan struct{})
	tell := sync.OnceFunc(func() { close(moment) })
	r.proxy.Plan(faultproxy.Rule{Skip: n, Fault: func(next http.Handler) http.Handler { tell(); return next }})
	defer r.proxy.Plan()
	daemon := e.start()
	readers := e.command("sh", "-c", readAll, "sh", strconv.Itoa(daemon.Process.Pid), e.mnt)
	if err := readers.Start(); err != nil {
		e.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = readers.Wait() // its file system may have died under it
		close(done)
	}()
	select {
	case <-moment:
	case <-done:
	}
	e.kill(daemon)
	<-done
}

// rightStore checks that the mount shows the n builds that are published, and
// reads all that they hold.
func (e *storeEnv) rightStore(r *remote, n int) {
	e.Helper()
	e.eventually("builds.json is the store's", time.Minute, func() bool {
		shown, err := os.ReadFile(e.path("builds.json"))
		return err == nil && strings.Count(string(shown), `"id"`) == n
	})
	var list strings.Builder
	for i := n - 1; i >= max(0, n-12); i-- { // more of them than the cache holds
		for _, name := range []string{"meta.json", "commitmeta.json", filepath.Base(r.File(i, "x86_64", "qemu")), filepath.Base(r.File(i, "x86_64", "ostree"))} {
			fmt.Fprintf(&list, "%s/x86_64/%s\n", r.IDs[i], name)
		}
	}
	sum := func(dir string) string {
		cmd := e.command("xargs", "sha256sum")
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(list.String())
		out, err := cmd.CombinedOutput()
		if err != nil {
			e.Errorf("sha256sum: %v: %s", err, out)
		}
		return string(out)
	}
	if got, want := sum(e.mnt), sum(r.Dir); got != want {
		e.Errorf("the mount has\n%s\nthe store\n%s", got, want)
	}
}
