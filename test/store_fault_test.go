package test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cosafs/test/faultproxy"
	"cosafs/test/storegen"
)

// patience is how long a read may take, whatever is wrong with the store. A silent
// store is given up after [silence], and a request is tried a few times.
const (
	patience = 60 * time.Second
	silence  = "1s"
)

// A trouble is something wrong with a store, and whether a read has to succeed all
// the same.
type trouble struct {
	name  string
	rules []faultproxy.Rule
	works bool
}

// always and once make the rules of an image's bytes.
func always(f faultproxy.Fault) []faultproxy.Rule { return times(0, f) }
func once(f faultproxy.Fault) []faultproxy.Rule   { return times(1, f) }

func times(n int, f faultproxy.Fault) []faultproxy.Rule {
	return []faultproxy.Rule{{Match: ofImages, Times: n, Fault: f}}
}

// ofImages matches requests for the bytes of images, by any kind of client.
func ofImages(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, ".qcow2")
}

// troubles are on the level of HTTP.
func troubles() []trouble {
	later := []faultproxy.Rule{{Match: ofImages, Skip: 1, Fault: faultproxy.Status(403)}}
	return []trouble{
		{"latency", always(faultproxy.Latency(100 * time.Millisecond)), true},
		{"two 500", times(2, faultproxy.Status(500)), true},
		{"two 503", times(2, faultproxy.Status(503)), true},
		{"500 for ever", always(faultproxy.Status(500)), false},
		{"503 for ever", always(faultproxy.Status(503)), false},
		{"403", always(faultproxy.Status(403)), false},
		{"403 on the next range", later, false},
		{"404", always(faultproxy.Status(404)), false},
		{"one answer is cut", once(faultproxy.Cut(100_000)), true},
		{"one answer is cut at once", once(faultproxy.Cut(0)), true},
		{"every answer is cut at once", always(faultproxy.Cut(0)), false},
		{"one answer is short", once(faultproxy.Short(100_000)), true},
		{"every answer is short", always(faultproxy.Short(40_000)), true},
		{"one bit is wrong once", once(faultproxy.Corrupt(50_000)), false},
		{"one bit is wrong always", always(faultproxy.Corrupt(50_000)), false},
		{"another ETag", always(faultproxy.ETag("ffffffffffffffffffffffffffffffff")), false},
		{"one answer is lost", once(faultproxy.Lost()), true},
		{"one request hangs", once(faultproxy.Hang()), true},
		{"every request hangs", always(faultproxy.Hang()), false},
		{"one answer stalls", once(faultproxy.Stall(100_000)), true},
		{"every answer stalls", always(faultproxy.Stall(0)), false},
		{"slow drip", always(faultproxy.Drip(32<<10, 10*time.Millisecond)), true},
	}
}

// Whatever is wrong with the store: a read through the mount gives the right bytes
// or fails in time, and works again when the store does. All that can be wrong is
// wrong at once, each with another image: no trouble keeps other reads from theirs.
func TestStoreFaults(t *testing.T) {
	all := troubles()
	r := newRemote(t, storegen.Config{Builds: len(all), Contents: len(all), Size: 1 << 20})
	e := newStoreEnv(t, "--store", r.url(), "--refresh", "1h", "--timeout", silence)
	e.serve()
	e.shows(len(all), r.proxy)
	var rules []faultproxy.Rule
	for n, c := range all {
		for _, rule := range c.rules {
			rule.Match = func(req *http.Request) bool { return ofImages(req) && strings.Contains(req.URL.Path, string(r.IDs[n])) }
			rules = append(rules, rule)
		}
	}
	r.proxy.Plan(rules...)
	f := faultEnv{e}
	copies := make([]attempt, len(all))
	var wg sync.WaitGroup
	for n := range all {
		wg.Go(func() { copies[n] = f.copy(f.path(string(r.IDs[n]), "x86_64"), r.File(n, "x86_64", "qemu")) })
	}
	wg.Wait()
	r.proxy.Plan()
	for n, c := range all {
		t.Run(c.name, func(t *testing.T) {
			f := faultEnv{e.at(t)}
			f.rightOrFailed(copies[n], c.works)
			f.recovers(f.path(string(r.IDs[n]), "x86_64"), r.File(n, "x86_64", "qemu"))
		})
	}
}

// The same on the level of TCP.
func TestStoreFaultsOfTheNetwork(t *testing.T) {
	type toxics []faultproxy.Toxic
	one := func(kind string, attributes map[string]int) toxics {
		return toxics{{Type: kind, Attributes: attributes}}
	}
	all := []struct {
		name   string
		toxics toxics
		works  bool
	}{
		{"latency", one("latency", map[string]int{"latency": 50, "jitter": 20}), true},
		{"slices", one("slicer", map[string]int{"average_size": 1400, "size_variation": 700, "delay": 10}), true},
		{"slow", one("bandwidth", map[string]int{"rate": 2000}), true},
		{"some connections are reset", toxics{{Type: "reset_peer", Toxicity: 0.3, Attributes: map[string]int{"timeout": 1}}}, false},
		{"every connection is reset", one("reset_peer", nil), false},
		{"every connection is cut after 64 KiB", one("limit_data", map[string]int{"bytes": 64 << 10}), false},
		{"nothing comes back", one("timeout", nil), false},
		{"nothing arrives", toxics{{Type: "timeout", Stream: "upstream"}}, false},
	}
	needStores(t)
	r := newRemote(t, storegen.Config{Builds: len(all), Contents: len(all), Size: 1 << 20})
	x := faultproxy.StartToxics(t, r.server.Addr)
	e := newStoreEnv(t, "--store", urlAt("http://"+x.Addr), "--refresh", "1h", "--timeout", silence)
	e.serve()
	e.shows(len(all), r.proxy)
	for n, c := range all {
		t.Run(c.name, func(t *testing.T) {
			f := faultEnv{e.at(t)}
			x.Plan(t, c.toxics...)
			f.rightOrFails(f.path(string(r.IDs[n]), "x86_64"), r.File(n, "x86_64", "qemu"), c.works)
			x.Plan(t)
			f.recovers(f.path(string(r.IDs[n]), "x86_64"), r.File(n, "x86_64", "qemu"))
		})
	}
}

// A store that is away is no reason to see nothing, or to wait for ever: what is
// known is listed, what is in the cache is read, and the rest fails.
func TestStoreAway(t *testing.T) {
	needStores(t)
	r := newRemote(t, storegen.Config{Builds: 3, Contents: 3, Size: 1 << 20})
	x := faultproxy.StartToxics(t, r.server.Addr)
	e := newStoreEnv(t, "--store", urlAt("http://"+x.Addr), "--refresh", "1h", "--timeout", silence)
	daemon := e.serve()
	e.shows(3, r.proxy)
	f := faultEnv{e}
	f.rightOrFails(e.path(string(r.IDs[0]), "x86_64"), r.File(0, "x86_64", "qemu"), true)
	x.Down(t)
	for _, what := range []string{"at once", "after a restart"} {
		f.rightOrFails(e.path(string(r.IDs[0]), "x86_64"), r.File(0, "x86_64", "qemu"), true)
		f.rightOrFails(e.path(string(r.IDs[1]), "x86_64"), r.File(1, "x86_64", "qemu"), false)
		if out := e.sh("ls", e.mnt); !strings.Contains(out, string(r.IDs[2])) {
			t.Errorf("%s, the store being away, ls shows %q", what, out)
		}
		e.end(daemon)
		daemon = e.serve()
	}
	x.Up(t)
	f.recovers(e.path(string(r.IDs[1]), "x86_64"), r.File(1, "x86_64", "qemu"))
}

// at is the environment for a subtest.
func (e *storeEnv) at(tb testing.TB) *storeEnv {
	tb.Helper()
	inner := *e.env
	inner.TB = tb
	return &storeEnv{&inner, e.options}
}

// A faultEnv reads while something is wrong.
type faultEnv struct{ *storeEnv }

// An attempt is a copy of an image, made while something is wrong.
type attempt struct {
	local, original string
	said            string // by cp and ls
	err             error  // of cp
	late            bool   // it did not end in time
	tree            error  // of ls, meanwhile
	took            time.Duration
}

// copy copies an image from a directory of the mount.
func (f faultEnv) copy(dir, original string) attempt {
	base := filepath.Base(original)
	a := attempt{local: filepath.Join(f.dir, "copy-of-"+base), original: original}
	began := time.Now()
	a.said, a.late, a.err = f.inTime("cp", filepath.Join(dir, base), a.local)
	a.took = time.Since(began)
	// The tree is there, whatever became of the read.
	out, late, err := f.inTime("ls", "-l", dir)
	if err == nil && (late || !strings.Contains(out, base)) {
		err = errors.New("the image is not listed")
	}
	a.tree = err
	return a
}

// rightOrFailed checks that a copy which succeeded is right, and that one which
// failed did so in time; where works is true it may not fail.
func (f faultEnv) rightOrFailed(a attempt, works bool) {
	f.Helper()
	f.Logf("%v: %v %s", a.took.Round(time.Millisecond), a.err, a.said)
	switch {
	case a.late:
		f.Errorf("cp does not end within %v", patience)
	case a.err == nil:
		f.sh("cmp", a.local, a.original)
	case works:
		f.Errorf("cp fails: %v: %s", a.err, a.said)
	}
	if a.tree != nil {
		f.Errorf("ls while the store is in trouble: %v", a.tree)
	}
}

// rightOrFails copies, and checks that.
func (f faultEnv) rightOrFails(dir, original string, works bool) {
	f.Helper()
	f.rightOrFailed(f.copy(dir, original), works)
}

// recovers checks that the image can be read now, if need be after the moment that
// a failure is remembered for.
func (f faultEnv) recovers(dir, original string) {
	f.Helper()
	f.eventually("the image is read", time.Minute, func() bool {
		_, late, err := f.inTime("cmp", filepath.Join(dir, filepath.Base(original)), original)
		return err == nil && !late
	})
}

// inTime runs a program that is to end in time; late says that it did not. The error
// is that of the program.
func (f faultEnv) inTime(name string, args ...string) (said string, late bool, err error) {
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	out, err := f.commandContext(ctx, name, args...).CombinedOutput()
	return string(out), ctx.Err() != nil, err
}
