package page_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"cosafs/materialize"
	"cosafs/vfs"
	"cosafs/vfs/access"
	"cosafs/vfs/webui"
	"cosafs/vfs/webui/page"
)

// world is a site over fixed facts, served as the program serves it.
type world struct {
	lib  *library
	svc  *service
	tree *vfs.FS
	site *page.Site
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{lib: newLibrary(), svc: newService()}
	w.lib.jobs = w.svc.jobs
	w.reload(tb, page.Config{})
	return w
}

// reload makes the site anew.
func (w *world) reload(tb testing.TB, cfg page.Config) {
	tb.Helper()
	w.tree = vfs.New(w.lib, vfs.Options{Now: func() time.Time { return now }})
	cfg.Service, cfg.Tree, cfg.Version, cfg.Now = w.svc, w.tree, "1.0", func() time.Time { return now }
	cfg.Logger = slog.New(slog.NewTextHandler(tb.Output(), nil))
	var err error
	if w.site, err = page.New(cfg); err != nil {
		tb.Fatal(err)
	}
}

// handler stands for the doors: paths of the tree that are directories go to
// Directory, files answer as if they were there.
func (w *world) handler(role access.Role) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(page.Prefix, w.site)
	mux.Handle("/v1/", webui.Handler(w.svc))
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		path := strings.Trim(r.URL.Path, "/")
		n, _, err := w.tree.Follow(r.Context(), path)
		d, isDir := n.(vfs.Dir)
		switch {
		case err != nil:
			w.site.Failed(rw, r, path, http.StatusNotFound, err)
		case isDir:
			w.site.Directory(rw, r, path, d)
		}
	})
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		caller := access.Caller{Name: "ada", Role: role}
		mux.ServeHTTP(rw, r.WithContext(access.With(r.Context(), caller)))
	})
}

// get asks for a page as a browser does.
func (w *world) get(tb testing.TB, role access.Role, target string) *httptest.ResponseRecorder {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, "http://builds.example:8080"+target, nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	rec := httptest.NewRecorder()
	w.handler(role).ServeHTTP(rec, r)
	return rec
}

// post sends a form as a browser does from a page of the site.
func (w *world) post(tb testing.TB, role access.Role, target string, form url.Values) *httptest.ResponseRecorder {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, "http://builds.example:8080"+target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	rec := httptest.NewRecorder()
	w.handler(role).ServeHTTP(rec, r)
	return rec
}

const (
	idNew = "44.20261122.dev.1"
	idOld = "44.20261120.dev.0"
	idBad = "44.20261101.dev.3"
	sha   = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

func entry(build, kind, suffix string, size int64, state materialize.State, reason string) vfs.Entry {
	e := vfs.Entry{
		Build: build, Arch: "x86_64", Name: "fedora-coreos-" + build + "-" + kind + ".x86_64" + suffix, Kind: kind, Size: size,
		ModTime: now.Add(-26 * time.Hour), State: state, Reason: reason,
	}
	if size >= 0 {
		e.SHA256 = sha
	}
	return e
}

func newLibrary() *library {
	files := []vfs.Entry{
		{Build: idNew, Arch: "x86_64", Name: "commitmeta.json", Size: 214312, ModTime: now.Add(-26 * time.Hour), State: materialize.StateLocal},
		entry(idNew, "aws", ".vmdk.xz", 812345678, materialize.StateRemote, ""),
		entry(idNew, "gcp", ".tar.gz", 912345678, materialize.StateGone, "recorded, deleted since; run: cosafs build --force"),
		entry(idNew, "metal", ".raw", 3221225472, materialize.StateView, ""),
		entry(idNew, "openstack", ".qcow2", 1712345600, materialize.StateUnknown, "https://builds.example/prod: 503 Service Unavailable"),
		entry(idNew, "ostree", ".ociarchive", 1012345600, materialize.StateCached, ""),
		entry(idNew, "qemu", ".qcow2", 1712345678, materialize.StateLocal, ""),
		{Build: idNew, Arch: "x86_64", Name: "meta.json", Size: 8231, ModTime: now.Add(-26 * time.Hour), State: materialize.StateLocal},
	}
	meta := vfs.Entry{Build: idOld, Arch: "x86_64", Name: "meta.json", Size: 8101, ModTime: now.Add(-74 * time.Hour), State: materialize.StateLocal}
	next := entry("next", "qemu", ".qcow2", -1, materialize.StateBuildable, "")
	next.Name = "qemu.qcow2"
	return &library{
		plan: "1. [to do] base disk: raw disk in the cache\n",
		snap: &vfs.Snapshot{
			Serial: 1, Latest: idNew, Next: []string{"x86_64"},
			Top: []vfs.Entry{{Name: "builds.json", Size: 900, ModTime: now, State: materialize.StateLocal}},
			Builds: []vfs.Build{
				{ID: idNew, Time: now.Add(-26 * time.Hour), Arches: []vfs.Arch{{Name: "aarch64", Files: vfs.FilesOf(nil)}, {Name: "x86_64", Files: vfs.FilesOf(files)}}},
				{ID: idOld, Time: now.Add(-74 * time.Hour), Arches: []vfs.Arch{{Name: "x86_64", Files: vfs.FilesOf([]vfs.Entry{meta})}}},
				{ID: idBad, Time: now.Add(-600 * time.Hour), Arches: []vfs.Arch{{Name: "x86_64", Files: vfs.FilesOf(nil)}}},
			},
		},
		could: []vfs.Entry{
			entry(idNew, "azure", ".vhd", -1, materialize.StateBuildable, ""),
			entry(idNew, "metal4k", ".raw", -1, materialize.StateBuilding, ""),
			entry(idNew, "vmware", ".ova", -1, materialize.StateFailed, "encode ova: no room for 10 GiB in /srv/build/tmp"),
			next,
		},
	}
}

func newService() *service {
	commit := "3b1f4a8c0d2e5f67890123456789abcdef0123456789abcdef0123456789abcd"
	ref := func(id string, hours int, tags ...string) materialize.BuildRef {
		return materialize.BuildRef{ID: id, Arches: []string{"x86_64"}, Local: true, Tags: tags, Time: now.Add(-time.Duration(hours) * time.Hour)}
	}
	artifacts := []materialize.Artifact{{Kind: "ostree", Size: 1012345600}, {Kind: "qemu", Size: 1712345678}, {Kind: "aws", Size: 812345678}}
	newest := webui.BuildInfo{BuildRef: ref(idNew, 26, "stable-candidate"), Arch: "x86_64", Version: idNew, Commit: commit, Config: "testing-devel (a1b2c3d4) (dirty)", Artifacts: artifacts}
	newest.Arches = []string{"aarch64", "x86_64"}
	target := func(kind string) materialize.Target {
		return materialize.Target{Build: idNew, Arch: "x86_64", Kind: kind}
	}
	steps := []materialize.Step{
		{Do: "commit", What: commit, Why: "build " + idNew + " has it, and so has the repository", Done: true},
		{Do: "base disk", What: "raw disk in the cache", Why: "no disk of this commit and image.yaml is in the cache: a supermin VM writes one", Key: sha},
		{Do: "metal4k", What: "file in the build directory, recorded in meta.json", Why: "meta.json has no metal4k"},
	}
	dir := idNew + "/x86_64/"
	return &service{
		status: webui.Status{
			Jobs:   []materialize.JobInfo{{ID: "01jd4x"}},
			Stores: []webui.StoreStatus{{Name: "s3://builds/prod"}, {Name: "https://builds.example/prod", Synced: now.Add(-3 * time.Hour), Problem: "503 Service Unavailable"}},
		},
		builds: []webui.BuildInfo{
			newest,
			{BuildRef: ref(idOld, 74), Arch: "x86_64", Version: idOld, Commit: strings.Repeat("c0ffee00", 8), Artifacts: artifacts[:2]},
			{BuildRef: ref(idBad, 600), Arch: "x86_64", Problem: "meta.json is cut short after 812 bytes"},
		},
		plans: map[string]materialize.Plan{
			dir + "metal4k.raw": {Target: target("metal4k"), State: materialize.StateBuilding, Reason: "job 01jd4x is at it: write disk", Steps: steps, Job: "01jd4x"},
			dir + "fedora-coreos-" + idNew + "-azure.x86_64.vhd": {Target: target("azure"), State: materialize.StateBuildable, Reason: "it exists nowhere; opening it makes it", Steps: steps, Job: "01jd4x"},
			dir + "qemu.qcow2": {Target: target("qemu"), State: materialize.StateLocal, Reason: "it is in the build directory"},
		},
		jobs: []materialize.JobInfo{
			{ID: "01jd4x", Target: target("metal4k"), Title: "base disk", State: materialize.JobRunning, Phase: "write disk", Fraction: 0.427, Waiters: 2, Attempt: 1, Started: now.Add(-4 * time.Minute), Until: now.Add(30 * time.Minute)},
			{ID: "01jd3f", Target: target("vmware"), Title: "vmware", State: materialize.JobFailed, Fraction: 0.8, Attempt: 2, Started: now.Add(-2 * time.Hour), Ended: now.Add(-119 * time.Minute), Error: "encode ova: no room for 10 GiB in /srv/build/tmp", Class: materialize.ClassSpace, Hint: "free some: cosafs gc, cosafs prune"},
			{ID: "01jd2a", Target: target("qemu"), Title: "qemu", State: materialize.JobDone, Fraction: 1, Attempt: 1, Started: now.Add(-26 * time.Hour), Ended: now.Add(-25 * time.Hour)},
		},
		log: "supermin: building the appliance\nqemu: booted in 3.1 s\npartition: 4 partitions\nostree: deploying " + commit + "\n",
		diff: webui.Diff{
			A: webui.Found{Build: idOld, Arch: "x86_64"}, B: webui.Found{Build: idNew, Arch: "x86_64"},
			Packages: []webui.PackageChange{
				{Name: "bootc", New: "1.12.0-1.fc44.x86_64"}, {Name: "kernel", Old: "6.18.2-300.fc44.x86_64", New: "6.18.4-300.fc44.x86_64"},
				{Name: "moby-engine", Old: "29.1.0-1.fc44.x86_64"},
			},
			Artifacts: []webui.ArtifactChange{{Kind: "qemu", Old: &materialize.Artifact{Size: 1700000000}, New: &materialize.Artifact{Size: 1712345678, SHA256: sha}}},
			Meta:      []webui.ValueChange{{Key: "coreos-assembler.config-gitrev", Old: []byte(`"a1"`), New: []byte(`"b2"`)}},
		},
		found: []webui.Found{{Build: idOld, Arch: "x86_64", Commit: commit, Time: now.Add(-74 * time.Hour), Source: "workdir", Packages: []materialize.Package{{Name: "kernel", Epoch: "0", Version: "6.18.2", Release: "300.fc44", Arch: "x86_64"}}}},
	}
}
