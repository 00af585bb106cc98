package workdir

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cosafs/backend/dirstore"
	"cosafs/index"
	"cosafs/materialize"
)

const testArch = "x86_64"

// newDir makes an empty working directory.
func newDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"builds", "cache", "tmp", "src/config"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// openRecords gives the records of a working directory.
func openRecords(t *testing.T, dir string) *records {
	t.Helper()
	r, err := newRecords(dir, Config{Arch: testArch, Lock: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// newBuild stages a build of one hour after the last one of the number before.
func newBuild(t *testing.T, r *records, n int) materialize.NewBuild {
	t.Helper()
	id := fmt.Sprintf("1.%d", n)
	b := materialize.NewBuild{
		ID: id, Arch: testArch, Name: "tiny", Summary: "Tiny OS",
		Staging: filepath.Join(filepath.Dir(r.root), "tmp", "stage-"+id), Time: time.Date(2026, 1, 2, n, 0, 0, 0, time.UTC),
		Commit: materialize.Commit{
			Checksum: digest("commit" + id), ContentChecksum: digest("content" + id), Version: id, Ref: "tiny/main",
			InputHash: digest("inputs" + id), Timestamp: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
			Stats: map[string]int64{"ostree-n-metadata-total": 5},
		},
		ImageConfigChecksum: digest("image"), ImageInputChecksum: digest("image inputs"),
		ConfigGit: json.RawMessage(`{"commit":"0123456789","origin":"file:///x","dirty":"false"}`), ConfigRev: "v1",
	}
	file := "tiny-" + id + "-ostree.x86_64.tar"
	put(t, filepath.Join(b.Staging, file), "ostree "+id)
	put(t, filepath.Join(b.Staging, "commitmeta.json"), `{"rpmostree.rpmdb.pkglist": [["bash", "0", "5.2", "1", "x86_64"]]}`)
	b.Artifacts = []materialize.Artifact{{
		Kind: "ostree", File: file, Size: int64(len("ostree " + id)), SHA256: digest("ostree " + id), SkipCompression: true,
	}}
	return b
}

// add publishes builds by their numbers.
func add(t *testing.T, r *records, numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		if err := r.Add(t.Context(), newBuild(t, r, n)); err != nil {
			t.Fatalf("add 1.%d: %v", n, err)
		}
	}
}

// ids gives the listed builds.
func ids(t *testing.T, r *records) []string {
	t.Helper()
	refs, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, ref := range refs {
		all = append(all, ref.ID)
	}
	return all
}

// onDisk gives the names in builds/.
func onDisk(t *testing.T, r *records) []string {
	t.Helper()
	entries, err := os.ReadDir(r.root)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func wantNames(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func wantLatest(t *testing.T, r *records, want string) {
	t.Helper()
	got, err := os.Readlink(r.path("latest"))
	if got != want || want == "" != errors.Is(err, fs.ErrNotExist) {
		t.Errorf("latest -> %q, %v; want %q", got, err, want)
	}
}

func TestAddIsCosasOrder(t *testing.T) {
	r := openRecords(t, newDir(t))
	told := 0
	r.onChange = func() {
		told++
		wantLatest(t, r, ids(t, r)[0]) // nobody hears of it before it is whole
	}
	add(t, r, 1, 2)
	if told != 2 {
		t.Errorf("told of %d changes, want 2", told)
	}
	wantNames(t, "listed", ids(t, r), "1.2", "1.1")
	wantNames(t, "builds/", onDisk(t, r), "1.1", "1.2", "builds.json", "latest")
	wantNames(t, "journal", readNames(t, r.journal.dir))
	list := get(t, r.path("builds.json"))
	if !strings.Contains(list, `"schema-version": "1.0.0"`) || !strings.Contains(list, `"timestamp": "`) || !strings.Contains(list, "\n    \"builds\": [") {
		t.Errorf("builds.json is not as cosa writes it:\n%s", list)
	}
}

func readNames(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestMetaJSON(t *testing.T) {
	r := openRecords(t, newDir(t))
	add(t, r, 1)
	m, err := index.ParseMeta([]byte(get(t, r.path("1.1/x86_64/meta.json"))))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
	for key, want := range map[string]string{
		"buildid": `"1.1"`, "ostree-timestamp": `"2026-01-01T00:00:00Z"`, "coreos-assembler.build-timestamp": `"2026-01-02T01:00:00Z"`,
		"coreos-assembler.config-dirty": `"false"`, "coreos-assembler.image-genver": "0", "ostree-n-metadata-total": "5",
		"coreos-assembler.meta-stamp": fmt.Sprint(time.Date(2026, 1, 2, 1, 0, 0, 0, time.UTC).UnixNano()),
	} {
		if got, _ := m.Get(key); string(got) != want {
			t.Errorf("%s = %s, want %s", key, got, want)
		}
	}
	b, err := r.Build(t.Context(), "1.1", testArch)
	if err != nil || b.Commit != digest("commit1.1") || b.Version != "1.1" || b.Ref != "tiny/main" || b.GenVer != 0 ||
		len(b.Packages) != 1 || b.Packages[0].Name != "bash" || !b.CommitTime.Equal(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("build = %+v, %v", b, err)
	}
	if a := b.Artifacts["ostree"]; !a.Local || !a.SkipCompression || a.Size != 10 || a.SHA256 != digest("ostree 1.1") {
		t.Errorf("artifact = %+v", a)
	}
}

func TestMetaJSONThatCosaWouldRefuse(t *testing.T) {
	r := openRecords(t, newDir(t))
	n := newBuild(t, r, 1)
	n.Commit.Checksum = "short"
	if err := r.Add(t.Context(), n); !errors.Is(err, index.ErrSchema) {
		t.Errorf("add = %v, want ErrSchema", err)
	}
	wantNames(t, "builds/", onDisk(t, r))
}

// addImage records a qemu image with the content.
func addImage(t *testing.T, r *records, id, content string) error {
	t.Helper()
	file := filepath.Join(filepath.Dir(r.root), "tmp", "image")
	put(t, file, content)
	a := materialize.Artifact{Kind: "qemu", File: "tiny-" + id + "-qemu.x86_64.qcow2", Size: int64(len(content)), SHA256: digest(content)}
	return r.AddArtifact(t.Context(), id, testArch, a, file)
}

func TestAddArtifactMerges(t *testing.T) {
	r := openRecords(t, newDir(t))
	add(t, r, 1)
	meta := r.path("1.1/x86_64/meta.json")
	put(t, meta, strings.Replace(get(t, meta), `"images": {`, `"amis": [], "images": {"gcp": {"path": "x.tar.gz", "sha256": "0"},`, 1)) // by cosa meanwhile
	if err := addImage(t, r, "1.1", "image"); err != nil {
		t.Fatal(err)
	}
	b, err := r.Build(t.Context(), "1.1", testArch)
	if err != nil || len(b.Artifacts) != 3 || !b.Artifacts["qemu"].Local || b.Artifacts["gcp"].Local {
		t.Errorf("artifacts = %+v, %v", b.Artifacts, err)
	}
	if !strings.Contains(get(t, meta), `"amis"`) {
		t.Error("what somebody else wrote is lost")
	}
	if err := addImage(t, r, "1.1", "image"); err != nil {
		t.Errorf("the same bytes again: %v", err)
	}
	before := get(t, meta)
	if err := addImage(t, r, "1.1", "other"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("other bytes: %v, want ErrExist", err)
	}
	if get(t, r.path("1.1/x86_64/tiny-1.1-qemu.x86_64.qcow2")) != "image" || get(t, meta) != before {
		t.Error("the recorded file or its record was changed")
	}
	wantNames(t, "journal", readNames(t, r.journal.dir))
}

// An image that is recorded under another name leaves no file beside it.
func TestAddArtifactLeavesNoOrphan(t *testing.T) {
	r := openRecords(t, newDir(t))
	add(t, r, 1)
	meta := r.path("1.1/x86_64/meta.json")
	put(t, meta, strings.Replace(get(t, meta), `"images": {`, `"images": {"qemu": {"path": "q.qcow2.gz", "sha256": "0"},`, 1))
	before := readNames(t, r.path("1.1/x86_64"))
	if err := addImage(t, r, "1.1", "image"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("add = %v, want ErrExist", err)
	}
	wantNames(t, "files", readNames(t, r.path("1.1/x86_64")), before...)
	if err := addImage(t, r, "0.9", "image"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an artifact of no build: %v", err)
	}
}

// A foreign lock is waited for, named, and leaves nothing half done.
func TestForeignLock(t *testing.T) {
	r := openRecords(t, newDir(t))
	add(t, r, 1)
	lock := r.path(".builds.json.lock")
	put(t, lock, lock+"|otherhost.example|4711|123456789")
	n := newBuild(t, r, 2)
	err := r.Add(t.Context(), n)
	var locked *dirstore.LockedError
	class, hint := materialize.ClassOf(err)
	if !errors.As(err, &locked) || !strings.Contains(locked.Holder, "4711") || !strings.Contains(hint, lock) || class.TTL() > time.Minute {
		t.Fatalf("add = %v (%s, %q), want who has it, what to remove, and soon another try", err, class, hint)
	}
	wantNames(t, "builds/", onDisk(t, r), ".builds.json.lock", "1.1", "builds.json", "latest")
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := r.Add(t.Context(), n); err != nil {
		t.Errorf("add when the lock is gone: %v", err)
	}
	wantNames(t, "listed", ids(t, r), "1.2", "1.1")

	put(t, r.path("1.1/x86_64/.meta.json.lock"), "x|otherhost.example|4711|123456789")
	if err := addImage(t, r, "1.1", "image"); !errors.As(err, &locked) {
		t.Errorf("add of an artifact = %v, want who locks", err)
	}
	if _, err := os.Stat(r.path("1.1/x86_64/tiny-1.1-qemu.x86_64.qcow2")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that nobody recorded: %v", err)
	}
}

func TestAddTwice(t *testing.T) {
	r := openRecords(t, newDir(t))
	add(t, r, 1)
	if err := r.Add(t.Context(), newBuild(t, r, 1)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("add = %v, want ErrExist", err)
	}
	wantNames(t, "listed", ids(t, r), "1.1")
	wantNames(t, "journal", readNames(t, r.journal.dir))
}

// Two processes that publish at once lose nothing.
func TestConcurrentAdds(t *testing.T) {
	dir := newDir(t)
	errs := make(chan error)
	for i := range 4 {
		rr, err := newRecords(dir, Config{Arch: testArch})
		if err != nil {
			t.Fatal(err)
		}
		n := newBuild(t, rr, i)
		go func() {
			errs <- errors.Join(rr.Add(context.WithoutCancel(t.Context()), n), rr.recover(t.Context()), rr.store.Close())
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	r := openRecords(t, dir)
	all := ids(t, r)
	wantLatest(t, r, all[0])
	slices.Sort(all)
	wantNames(t, "listed", all, "1.0", "1.1", "1.2", "1.3")
}

// Damage spoils only what is damaged.
func TestDamagedBuilds(t *testing.T) {
	r := openRecords(t, newDir(t))
	add(t, r, 1, 2, 3, 4)
	old := time.Now().Add(-time.Hour)
	if err := errors.Join(os.Truncate(r.path("1.4/x86_64/meta.json"), 50), os.Chtimes(r.path("1.4/x86_64/meta.json"), old, old),
		os.RemoveAll(r.path("1.3"))); err != nil {
		t.Fatal(err)
	}
	meta := r.path("1.2/x86_64/meta.json")
	put(t, meta, strings.Replace(get(t, meta), "tiny-1.2-ostree", "../../1.1/x86_64/tiny-1.1-ostree", 1))

	if _, err := r.Build(t.Context(), "1.4", testArch); !errors.Is(err, index.ErrSyntax) {
		t.Errorf("truncated meta.json: %v", err)
	}
	if _, err := r.Build(t.Context(), "1.3", testArch); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	b, err := r.Latest(t.Context(), testArch)
	if err != nil || b.ID != "1.2" || b.Artifacts["ostree"].Local {
		t.Errorf("latest = %s %+v, %v; want 1.2, whose artifact leads out of it", b.ID, b.Artifacts, err)
	}
	wantNames(t, "listed", ids(t, r), "1.4", "1.3", "1.2", "1.1")
	add(t, r, 5)
	wantLatest(t, r, "1.5")
}

func TestUnreadableList(t *testing.T) {
	r := openRecords(t, newDir(t))
	add(t, r, 1)
	put(t, r.path("builds.json"), `{"builds": [`)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(r.path("builds.json"), old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := r.List(t.Context()); !errors.Is(err, index.ErrSyntax) {
		t.Errorf("list = %v", err)
	} else if _, hint := materialize.ClassOf(err); hint == "" {
		t.Error("no hint")
	}
	if err := r.Add(t.Context(), newBuild(t, r, 2)); err == nil {
		t.Error("a list that can't be read was changed")
	}
	if get(t, r.path("builds.json")) != `{"builds": [` {
		t.Error("what may be the only copy was replaced")
	}
	wantNames(t, "builds/", onDisk(t, r), "1.1", "builds.json", "latest")
}

// The list is data of others: names that mean something else are no builds.
func TestReservedNames(t *testing.T) {
	r := openRecords(t, newDir(t))
	add(t, r, 1)
	hostile := `{"schema-version": "1.0.0", "builds": [`
	for _, id := range []string{"next", "latest", "builds.json", ".cosafs", "..", "a/b"} {
		hostile += fmt.Sprintf(`{"id": %q, "arches": ["x86_64"]}, `, id)
	}
	put(t, r.path("builds.json"), hostile+`{"id": "1.1", "arches": ["x86_64"]}]}`)
	wantNames(t, "listed", ids(t, r), "1.1")
	if b, err := r.Latest(t.Context(), testArch); err != nil || b.ID != "1.1" {
		t.Errorf("latest = %s, %v", b.ID, err)
	}
	add(t, r, 2)
	wantLatest(t, r, "1.2")
	if _, err := r.Prune(t.Context(), materialize.PruneRequest{Keep: 1}); err != nil {
		t.Error(err)
	}
	if list := get(t, r.path("builds.json")); !strings.Contains(list, `"next"`) || strings.Contains(list, `"1.1"`) {
		t.Errorf("after pruning:\n%s", list)
	}
}

// Workdirs of before 2019-07 have no directories for architectures.
func TestLegacyLayout(t *testing.T) {
	dir := newDir(t)
	r := openRecords(t, dir)
	n := newBuild(t, r, 1)
	meta, err := newMeta(n)
	if err != nil {
		t.Fatal(err)
	}
	put(t, r.path("1.1/meta.json"), string(meta.Bytes()))
	put(t, r.path("builds.json"), `{"builds": ["1.1"], "timestamp": "2019-01-01T00:00:00Z"}`)
	b, err := r.Latest(t.Context(), testArch)
	if err != nil || b.ID != "1.1" || b.Dir != r.path("1.1") {
		t.Errorf("latest = %+v, %v", b, err)
	}
	before := get(t, r.path("builds.json"))
	if err := r.Add(t.Context(), newBuild(t, r, 2)); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("add = %v, want ErrUnsupported", err)
	}
	wantNames(t, "builds/", onDisk(t, r), "1.1", "builds.json")
	if get(t, r.path("builds.json")) != before {
		t.Error("a legacy list was changed")
	}
	if err := addImage(t, r, "1.1", "image"); err != nil {
		t.Errorf("an artifact of a legacy build: %v", err)
	}
}

func TestTags(t *testing.T) {
	r := openRecords(t, newDir(t))
	add(t, r, 1, 2)
	if err := r.Tag(t.Context(), "good", "1.1"); err != nil {
		t.Fatal(err)
	}
	refs, err := r.List(t.Context())
	if err != nil || len(refs) != 2 || !slices.Equal(refs[1].Tags, []string{"good"}) || len(refs[0].Tags) != 0 {
		t.Errorf("list = %+v, %v", refs, err)
	}
	if err := r.Tag(t.Context(), "good", "0.1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("tag of no build: %v", err)
	}
	if err := errors.Join(r.Tag(t.Context(), "good", "1.2"), r.Untag(t.Context(), "good")); err != nil {
		t.Error(err)
	}
	if err := r.Untag(t.Context(), "good"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("taking no tag away: %v", err)
	}
}
