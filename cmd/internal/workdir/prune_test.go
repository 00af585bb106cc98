package workdir

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"cosafs/materialize"
)

// prune prunes and gives the ids that went.
func prune(t *testing.T, r *records, req materialize.PruneRequest) []string {
	t.Helper()
	gone, err := r.Prune(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, b := range gone {
		all = append(all, b.ID)
	}
	return all
}

func TestPruneKeepsNewest(t *testing.T) {
	r := openRecords(t, newDir(t))
	add(t, r, 1, 2, 3, 4, 5)
	wantNames(t, "dry", prune(t, r, materialize.PruneRequest{Keep: 3, Dry: true}), "1.2", "1.1")
	wantNames(t, "after a dry run", ids(t, r), "1.5", "1.4", "1.3", "1.2", "1.1")
	wantNames(t, "keep 0", prune(t, r, materialize.PruneRequest{}))
	wantNames(t, "pruned", prune(t, r, materialize.PruneRequest{Keep: 3}), "1.2", "1.1")
	wantNames(t, "listed", ids(t, r), "1.5", "1.4", "1.3")
	wantNames(t, "builds/", onDisk(t, r), "1.3", "1.4", "1.5", "builds.json", "latest")
	wantLatest(t, r, "1.5")
	wantNames(t, "again", prune(t, r, materialize.PruneRequest{Keep: 3}))
}

// Tagged and busy builds stay and don't count.
func TestPruneTaggedAndBusy(t *testing.T) {
	r := openRecords(t, newDir(t))
	add(t, r, 1, 2, 3, 4, 5, 6)
	if err := r.Tag(t.Context(), "good", "1.5"); err != nil {
		t.Fatal(err)
	}
	busy := func(id string) bool { return id == "1.6" || id == "1.1" }
	wantNames(t, "pruned", prune(t, r, materialize.PruneRequest{Keep: 2, Busy: busy}), "1.2")
	wantNames(t, "listed", ids(t, r), "1.6", "1.5", "1.4", "1.3", "1.1")
}

// cosa forgets builds that are elsewhere, and keys that it doesn't know.
func TestPruneLosesNothing(t *testing.T) {
	r := openRecords(t, newDir(t))
	add(t, r, 1, 2, 3)
	list := strings.Replace(get(t, r.path("builds.json")), `"builds": [`,
		`"builds": [{"id": "9.9", "arches": ["s390x"], "policy-cleanup": {"images": true}},`, 1)
	put(t, r.path("builds.json"), strings.Replace(list, `{`, `{"unknown": {"a": 1},`, 1))
	put(t, r.path("koji-build/x"), "not a build")
	wantNames(t, "pruned", prune(t, r, materialize.PruneRequest{Keep: 1}), "1.2", "1.1")
	wantNames(t, "listed", ids(t, r), "9.9", "1.3")
	wantNames(t, "builds/", onDisk(t, r), "1.3", "builds.json", "koji-build", "latest")
	wantLatest(t, r, "1.3") // not the one that isn't here
	var doc map[string]any
	if err := json.Unmarshal([]byte(get(t, r.path("builds.json"))), &doc); err != nil || doc["unknown"] == nil {
		t.Errorf("builds.json = %v, %v", doc, err)
	}
	if !strings.Contains(get(t, r.path("builds.json")), "policy-cleanup") {
		t.Error("the record of a remote cleanup is lost")
	}
}

func TestPruneNamedBuilds(t *testing.T) {
	r := openRecords(t, newDir(t))
	add(t, r, 1, 2, 3)
	if err := r.Tag(t.Context(), "good", "1.2"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(r.path("1.1")); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]error{"1.2": fs.ErrPermission, "0.9": fs.ErrNotExist, "1.1": fs.ErrNotExist} {
		_, err := r.Prune(t.Context(), materialize.PruneRequest{Builds: []string{"1.3", id}})
		if _, hint := materialize.ClassOf(err); !errors.Is(err, want) || hint == "" {
			t.Errorf("prune of 1.3 and %s: %v, want %v and a hint", id, err, want)
		}
	}
	busy := func(string) bool { return true }
	if _, err := r.Prune(t.Context(), materialize.PruneRequest{Builds: []string{"1.3"}, Busy: busy}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("prune of a build that is read: %v", err)
	}
	wantNames(t, "listed", ids(t, r), "1.3", "1.2", "1.1")
	wantNames(t, "pruned", prune(t, r, materialize.PruneRequest{Builds: []string{"1.3", "1.3"}}), "1.3")
	wantLatest(t, r, "1.2")
}

func TestPruneTheLastBuild(t *testing.T) {
	r := openRecords(t, newDir(t))
	add(t, r, 1)
	wantNames(t, "pruned", prune(t, r, materialize.PruneRequest{Builds: []string{"1.1"}}), "1.1")
	wantLatest(t, r, "")
	wantNames(t, "builds/", onDisk(t, r), "builds.json")
}

// A build that can't be read is not what an automatic pruning takes first.
func TestPruneKeepsDamagedBuilds(t *testing.T) {
	r := openRecords(t, newDir(t))
	add(t, r, 1, 2, 3)
	old := time.Now().Add(-time.Hour)
	if err := errors.Join(os.Truncate(r.path("1.3/x86_64/meta.json"), 20), os.Chtimes(r.path("1.3/x86_64/meta.json"), old, old)); err != nil {
		t.Fatal(err)
	}
	wantNames(t, "pruned", prune(t, r, materialize.PruneRequest{Keep: 1}), "1.1")
	wantNames(t, "builds/", onDisk(t, r), "1.2", "1.3", "builds.json", "latest")
	wantNames(t, "by name", prune(t, r, materialize.PruneRequest{Builds: []string{"1.3"}}), "1.3")
}
