package materialize_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	. "cosafs/materialize"
)

// sumOf waits until nothing is computed any more and gives the sha256 that is known of
// a view.
func (w *world) sumOf(t *testing.T, build string) string {
	t.Helper()
	synctest.Wait()
	st, _ := w.StatView(t.Context(), w.records.builds[build], "azure")
	return st.SHA256
}

// record is the file with the sha256 of the only view.
func (w *world) record(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(w.StateDir, "base", "*", "azure.sum.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("records: %q, %v; want one", found, err)
	}
	return found[0]
}

// restarted is the world with the next process's maker.
func (w *world) restarted(t *testing.T) *world {
	t.Helper()
	next := *w
	next.Maker = &Maker{
		Composer: w.Composer, Disks: w.Disks, Commits: w.Commits, Records: w.Records, Packer: w.Packer,
		Runner: w.Runner, Config: w.Config, Arch: w.Arch, StateDir: w.StateDir, Version: w.Version,
	}
	t.Cleanup(func() {
		if err := next.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return &next
}

// The first open of a view has its sha256 computed, holes not read, and the next
// process knows it.
func TestViewSum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.build(t, BuildOptions{})
		if got := w.sumOf(t, "1.0"); got != "" {
			t.Errorf("sha256 %q before the first open", got)
		}
		w.openView(t, "1.0")
		got := w.sumOf(t, "1.0")
		if n := w.disks.count(&w.disks.reads); n > 4096 {
			t.Errorf("%d bytes were read of 4096 that are no hole", n)
		}
		r, content := w.look(t, "1.0", "azure")
		if want := sum(content); got != want {
			t.Errorf("sha256 %q, want %s", got, want)
		}
		want := []Artifact{{Kind: "azure", File: "tiny-1.0-azure.x86_64.", Size: r.Size, SHA256: got, State: StateView}}
		if diff := cmp.Diff(want, w.SummedViews(t.Context(), w.records.builds["1.0"])); diff != "" {
			t.Errorf("views of the build: -want +got\n%s", diff)
		}
		if of := w.SummedViews(t.Context(), Build{ID: "1.1", Arch: arch}); of != nil {
			t.Errorf("views of another build: %+v", of)
		}
		read := w.disks.count(&w.disks.reads)
		next := w.restarted(t)
		if again := next.sumOf(t, "1.0"); again != got {
			t.Errorf("after a restart: %q, want %s", again, got)
		}
		next.openView(t, "1.0")
		if next.sumOf(t, "1.0"); w.disks.count(&w.disks.reads) != read {
			t.Error("it was computed again")
		}
	})
}

// The sum of a disk goes with it: the same disk written anew has other bytes.
func TestViewSumGoesWithItsDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.build(t, BuildOptions{})
		w.openView(t, "1.0")
		was := w.sumOf(t, "1.0")
		stamp := func() string {
			st, _ := w.StatView(t.Context(), w.records.builds["1.0"], "azure")
			return st.Stamp
		}
		former := stamp()
		if again := stamp(); again != former {
			t.Errorf("stamps %s and %s of one disk", former, again)
		}
		if err := os.RemoveAll(filepath.Dir(w.record(t))); err != nil {
			t.Fatal(err)
		}
		if got := w.sumOf(t, "1.0"); got != "" {
			t.Errorf("sha256 %s without a disk", got)
		}
		w.disks.salt = "salt"
		_, content := w.look(t, "1.0", "azure")
		if got := w.sumOf(t, "1.0"); got != sum(content) || got == was {
			t.Errorf("sha256 %q, want %s; of the former disk it was %s", got, sum(content), was)
		}
		if now := stamp(); now == former {
			t.Errorf("stamp %s, as the former disk", now)
		}
	})
}

// Opens don't wait for sums, of which one is computed at a time.
func TestViewSumsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		builds := []string{w.build(t, BuildOptions{}).Build}
		for range 2 {
			builds = append(builds, w.build(t, BuildOptions{Force: true}).Build)
		}
		begun, gate := make(chan struct{}, len(builds)), make(chan struct{})
		w.disks.reading = func() {
			begun <- struct{}{}
			<-gate
		}
		for _, id := range append(builds, builds...) {
			w.openView(t, id)
		}
		synctest.Wait()
		if n := len(begun); n != 1 {
			t.Errorf("%d are computed at a time, want 1", n)
		}
		close(gate)
		for _, id := range builds {
			if w.sumOf(t, id) == "" {
				t.Errorf("%s has none", id)
			}
		}
		if n := len(begun); n != len(builds) {
			t.Errorf("%d were computed, want %d", n, len(builds))
		}
		if n := w.disks.count(&w.disks.views) - 3*len(builds); n != len(builds) { // two opens and a stat at each
			t.Errorf("%d views were opened to be computed, want %d", n, len(builds))
		}
	})
}

// The end of the process waits for the one sum that is being computed, which ends at
// once, and for no other.
func TestCloseEndsViewSums(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		builds := []string{w.build(t, BuildOptions{}).Build, w.build(t, BuildOptions{Force: true}).Build}
		gate, reads := make(chan struct{}), 0
		w.disks.reading = func() {
			reads++
			<-gate
		}
		for _, id := range builds {
			w.openView(t, id)
		}
		synctest.Wait()
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.Close(impatient); !errors.Is(err, context.Canceled) {
			t.Errorf("close while a read lasts: %v, want the end of the ctx", err)
		}
		close(gate)
		if err := w.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if w.sumOf(t, builds[0]) != "" || reads != 1 {
			t.Errorf("%d reads, and a sum: it was not ended", reads)
		}
		w.openView(t, builds[1])
		if got := w.sumOf(t, builds[1]); got != "" || reads != 1 {
			t.Errorf("a sum was computed after the end: %q", got)
		}
		if left, err := filepath.Glob(filepath.Join(w.StateDir, "base", "*", "*sum*")); err != nil || len(left) != 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	})
}

// While another process computes a sum nobody else does, and nobody waits.
func TestViewSumOfAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.build(t, BuildOptions{})
		w.openView(t, "1.0")
		want := w.sumOf(t, "1.0")
		path := w.record(t)
		lock, err := os.Create(strings.TrimSuffix(path, ".json") + ".lock")
		if err == nil {
			err = errors.Join(os.Remove(path), unix.Flock(int(lock.Fd()), unix.LOCK_EX))
		}
		if err != nil {
			t.Fatal(err)
		}
		w.openView(t, "1.0")
		if got := w.sumOf(t, "1.0"); got != "" {
			t.Error("two processes computed it")
		}
		if err := lock.Close(); err != nil { // it died
			t.Fatal(err)
		}
		w.openView(t, "1.0")
		if got := w.sumOf(t, "1.0"); got != want {
			t.Errorf("sha256 %q, want %s", got, want)
		}
	})
}

// A record that doesn't fit is as good as none.
func TestViewSumThatDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.build(t, BuildOptions{})
		w.openView(t, "1.0")
		want, path := w.sumOf(t, "1.0"), w.record(t)
		good := read(t, path)
		for name, bad := range map[string]string{
			"empty":         "",
			"torn":          good[:len(good)/2],
			"another size":  strings.Replace(good, `"Size":1`, `"Size":2`, 1),
			"not a sha256":  strings.Replace(good, want, want[2:], 1),
			"other version": strings.Replace(good, `"version":"1"`, `"version":"2"`, 1),
		} {
			if bad == good {
				t.Fatalf("%s: nothing to change in %s", name, good)
			}
			write(t, path, bad)
			if got := w.sumOf(t, "1.0"); got != "" {
				t.Errorf("%s: believed: %s", name, got)
			}
			w.openView(t, "1.0")
			if got := w.sumOf(t, "1.0"); got != want || read(t, path) != good {
				t.Errorf("%s: sha256 %q, want %s; record %s", name, got, want, read(t, path))
			}
		}
	})
}

// What is recorded of a view are the bytes that it was read with.
func TestViewMadeRealDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.build(t, BuildOptions{})
		_, content := w.look(t, "1.0", "azure")
		was, path := w.sumOf(t, "1.0"), w.record(t)
		write(t, path, strings.Replace(read(t, path), was, sum("other"), 1))
		target := Target{Build: "1.0", Arch: arch, Kind: "azure"}
		_, err := w.Make(t.Context(), target)
		if _, hint := ClassOf(err); !errors.Is(err, ErrCorrupt) || !strings.Contains(hint, filepath.Dir(path)) {
			t.Errorf("%v, hint %q; want ErrCorrupt and what to delete", err, hint)
		}
		if a, ok := w.records.builds["1.0"].Artifacts["azure"]; ok {
			t.Errorf("recorded: %+v", a)
		}
		if err := errors.Join(os.RemoveAll(filepath.Dir(path)), w.Retry(t.Context(), target)); err != nil {
			t.Fatal(err)
		}
		w.open(t, "1.0", "azure")
		if a := w.records.builds["1.0"].Artifacts["azure"]; a.SHA256 != sum(content) {
			t.Errorf("recorded %+v, want %s", a, sum(content))
		}
	})
}
