package test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cosafs/index"
	"cosafs/test/faultproxy"
	"cosafs/test/need"
	"cosafs/test/s3server"
	"cosafs/test/storegen"
)

// localBuilds makes a build directory's builds/, and gives the build directory.
func localBuilds(tb testing.TB, cfg storegen.Config) (string, *storegen.Tree) {
	tb.Helper()
	work := tb.TempDir()
	cfg.Dir = filepath.Join(work, "builds")
	tree, err := storegen.Make(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	linkLatest(tb, work, tree.IDs[len(tree.IDs)-1])
	return work, tree
}

// linkLatest does what is left to make builds/ a build directory's.
func linkLatest(tb testing.TB, work string, id index.BuildID) {
	tb.Helper()
	if err := os.Symlink(string(id), filepath.Join(work, "builds", "latest")); err != nil {
		tb.Fatal(err)
	}
	for _, dir := range []string{"tmp", "cache", "src/config"} {
		if err := os.MkdirAll(filepath.Join(work, dir), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
}

// What cosafs uploads is what cosa would have uploaded: the same keys with the
// same bytes, and with cosa's headers. Uploading it again sends nothing but the
// list, and a dry run nothing at all.
func TestStoreUploadIsCosas(t *testing.T) {
	needStores(t)
	need.Tool(t, "aws")
	s := s3server.Start(t)
	proxy := faultproxy.Start(t, s.Endpoint)
	work, tree := localBuilds(t, storegen.Config{Builds: 2, Arches: []index.Arch{"x86_64", "aarch64"}, Contents: 2, Size: 9 << 20})
	e := newStoreEnv(t, "-C", work)
	e.environ = append(e.environ, "AWS_ENDPOINT_URL="+s.Endpoint)

	e.run("upload", "--dry-run", "--build", string(tree.IDs[0]), urlAt(proxy.URL))
	if c := proxy.Counts(); c.Requests["PUT"]+c.Requests["POST"]+c.Requests["DELETE"] != 0 {
		t.Errorf("a dry run changes the store: %v", c.Requests)
	}
	for _, id := range tree.IDs {
		e.run("upload", "--build", string(id), urlAt(proxy.URL))
	}
	bucket := s.Object(s3server.Private, prefix)
	got, want := sums(t, bucket), sums(t, tree.Dir)
	delete(got, "builds.json") // its time is that of the upload
	delete(want, "builds.json")
	sameFiles(t, "the bucket", got, want)
	e.listIs(s, tree.IDs[1], tree.IDs[0])
	e.headers(tree)

	proxy.Reset()
	e.run("upload", "--build", string(tree.IDs[1]), urlAt(proxy.URL))
	if c := proxy.Counts(); c.Received > 1<<20 {
		t.Errorf("uploading again sends %d bytes: %q", c.Received, c.Last)
	}
	e.listIs(s, tree.IDs[1], tree.IDs[0])
}

// listIs checks which builds the store lists, newest first.
func (e *storeEnv) listIs(s *s3server.Server, want ...index.BuildID) {
	e.Helper()
	data, err := os.ReadFile(s.Object(s3server.Private, prefix+"/builds.json"))
	if err != nil {
		e.Fatal(err)
	}
	list, err := index.ParseBuilds(data)
	if err != nil {
		e.Fatal(err)
	}
	got := []index.BuildID{}
	for _, entry := range list.Entries() {
		got = append(got, entry.ID)
	}
	if !slices.Equal(got, want) {
		e.Errorf("builds.json lists %v; want %v", got, want)
	}
}

// headers checks what cosa's buildupload sends with each file.
func (e *storeEnv) headers(tree *storegen.Tree) {
	e.Helper()
	dir := string(tree.IDs[1]) + "/x86_64/"
	for name, want := range map[string]struct{ cache, kind string }{
		"builds.json":           {"300", "application/json"},
		dir + "meta.json":       {"300", "application/json"},
		dir + "commitmeta.json": {"31536000", "application/json"},
		dir + filepath.Base(tree.File(1, "x86_64", "ostree")): {"31536000", "application/x-tar"},
		dir + filepath.Base(tree.File(1, "x86_64", "qemu")):   {"31536000", "application/octet-stream"},
	} {
		var head struct{ CacheControl, ContentType string }
		out := e.sh("aws", "s3api", "head-object", "--bucket", s3server.Private, "--key", prefix+"/"+name)
		if err := json.Unmarshal([]byte(out), &head); err != nil {
			e.Fatal(err)
		}
		if head.CacheControl != "max-age="+want.cache || head.ContentType != want.kind {
			e.Errorf("%s has %+v; cosa sends max-age=%s, %s", name, head, want.cache, want.kind)
		}
	}
}

// Fifty publish different builds into one bucket at once, and ten of them are
// killed at some request: every build whose upload succeeded is listed, once and
// whole, and so are those that were there before, in their order.
func TestStoreFiftyUploaders(t *testing.T) {
	needStores(t)
	const before, uploaders, victims = 3, 50, 10
	r := newRemote(t, storegen.Config{Builds: before, Contents: before})
	_, tree := localBuilds(t, storegen.Config{Builds: before + uploaders, Contents: before + uploaders, Size: 20_000})
	e := newStoreEnv(t)
	u := &uploads{storeEnv: e, remote: r, tree: tree, done: map[index.BuildID]bool{}}
	chance := rand.New(rand.NewPCG(7, 8)) //nolint:gosec // G404: the same victims each time
	doomed := chance.Perm(uploaders)[:victims]
	var rules []faultproxy.Rule
	var all []*upload
	for _, id := range tree.IDs[before:] {
		all = append(all, &upload{Cmd: u.command(id), id: id, started: make(chan struct{})})
	}
	for i, up := range all {
		if slices.Contains(doomed, i) {
			rules = append(rules, up.killAt(chance.IntN(12)))
		}
	}
	r.proxy.Plan(rules...)
	u.runAll(all)
	r.proxy.Plan()
	t.Logf("%d of %d finished; %v", len(u.done), uploaders, r.proxy.Counts().Requests)
	if len(u.done) < uploaders-victims {
		t.Errorf("only %d of %d uploads succeeded", len(u.done), uploaders-victims)
	}
	u.check(before)
}

// uploads are several at once.
type uploads struct {
	*storeEnv
	remote *remote
	tree   *storegen.Tree

	mu   sync.Mutex // guards done
	done map[index.BuildID]bool
}

// command makes a build directory with one build and gives the command that
// uploads it.
func (u *uploads) command(id index.BuildID) *exec.Cmd {
	u.Helper()
	work := u.TempDir()
	u.mkdir(filepath.Join(work, "builds"))
	u.sh("cp", "-al", filepath.Join(u.tree.Dir, string(id)), filepath.Join(work, "builds"))
	list := fmt.Sprintf(`{"schema-version": "1.0.0", "timestamp": "2025-01-01T00:00:00Z", "builds": [{"id": %q, "arches": ["x86_64"]}]}`, id)
	if err := os.WriteFile(filepath.Join(work, "builds", "builds.json"), []byte(list), 0o644); err != nil {
		u.Fatal(err)
	}
	linkLatest(u, work, id)
	return u.storeEnv.command(shared.cosafs, "-C", work, "upload", "--build", string(id), u.remote.url())
}

// An upload is one of them.
type upload struct {
	*exec.Cmd
	id      index.BuildID
	started chan struct{} // closed when there is a process
}

// killAt kills the upload at its n-th request about its build.
func (up *upload) killAt(n int) faultproxy.Rule {
	return faultproxy.Rule{
		Match: func(r *http.Request) bool { return strings.Contains(r.URL.String(), string(up.id)) },
		Skip:  n, Times: 1,
		Fault: func(next http.Handler) http.Handler {
			<-up.started
			_ = up.Process.Kill() // the kernel takes it in the middle of this request
			return next
		},
	}
}

// runAll runs them at the same time.
func (u *uploads) runAll(all []*upload) {
	u.Helper()
	var wg sync.WaitGroup
	began := time.Now()
	for _, up := range all {
		var said strings.Builder
		up.Stdout, up.Stderr = &said, &said
		if err := up.Start(); err != nil {
			u.Fatal(err)
		}
		close(up.started)
		wg.Go(func() {
			err := up.Wait()
			u.mu.Lock()
			defer u.mu.Unlock()
			if err == nil {
				u.done[up.id] = true
			} else if up.ProcessState.ExitCode() != -1 { // not killed
				u.Errorf("the upload of %s fails: %v: %s", up.id, err, said.String())
			}
		})
	}
	wg.Wait()
	u.Logf("all uploads ended after %v", time.Since(began).Round(time.Millisecond))
}

// check looks at what the bucket lists.
func (u *uploads) check(before int) {
	u.Helper()
	bucket := u.remote.Dir
	list, err := index.ParseBuilds([]byte(readAt(u, bucket, "builds.json")))
	if err != nil {
		u.Fatal(err)
	}
	listed, old := map[index.BuildID]bool{}, []index.BuildID{}
	for _, entry := range list.Entries() {
		if listed[entry.ID] {
			u.Errorf("%s is listed twice", entry.ID)
		}
		listed[entry.ID] = true
		if slices.Contains(u.remote.IDs, entry.ID) {
			old = append(old, entry.ID)
		} else {
			sameFiles(u, "the store's "+string(entry.ID), sums(u, filepath.Join(bucket, string(entry.ID))), sums(u, filepath.Join(u.tree.Dir, string(entry.ID))))
		}
	}
	for id := range u.done {
		if !listed[id] {
			u.Errorf("the upload of %s succeeded, and it is not listed", id)
		}
	}
	slices.Reverse(old)
	if !slices.Equal(old, u.remote.IDs[:before]) {
		u.Errorf("of the builds that were there, %v are listed, in this order from the oldest; want %v", old, u.remote.IDs)
	}
}

func readAt(tb testing.TB, dir, name string) string {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}
