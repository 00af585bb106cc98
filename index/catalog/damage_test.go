package catalog_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/index"
	"cosafs/index/catalog"
)

// filled makes a world and a catalog of it in dir, with packages.
func filled(t *testing.T, dir string) (*world, *catalog.Catalog) {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	w := newWorld()
	for i := range 12 {
		w.grow(t, r, fmt.Sprintf("41.2025%02d", i))
	}
	c := open(t, dir)
	w.bring(t, c)
	return w, c
}

func (w *world) bring(t *testing.T, c *catalog.Catalog) {
	t.Helper()
	sync1(t, c, w.store, catalog.Options{})
	if err := c.SyncPackages(t.Context(), storeName, w, catalog.Query{}, nil); err != nil {
		t.Fatal(err)
	}
}

// right says whether the catalog gives right answers: false where it has none,
// because it is empty or was found damaged. Anything else fails the test.
func (w *world) right(t *testing.T, c *catalog.Catalog) bool {
	t.Helper()
	queries := []catalog.Query{{}, {Arch: "x86_64"}, {Kind: "qemu"}, {Package: "kernel"}, {SHA256: digestOf(w.order[3], "x86_64", "metal")[:8]}}
	for _, id := range w.order {
		queries = append(queries, catalog.Query{Commit: digestOf(id, "x86_64", "commit")})
	}
	for _, q := range queries {
		var got []string
		for m, err := range c.Find(t.Context(), storeName, q) {
			if errors.Is(err, catalog.ErrDamaged) || errors.Is(err, fs.ErrNotExist) {
				return false
			}
			if err != nil {
				t.Fatalf("%+v: %v", q, err)
			}
			got = append(got, m.ID+"/"+m.Name)
		}
		want := w.answer(q)
		before := slices.DeleteFunc(slices.Clone(want), func(key string) bool { return strings.HasPrefix(key, lastBuild+"/") })
		if diff := cmp.Diff(want, got); diff != "" && !slices.Equal(before, got) {
			t.Fatalf("wrong answer to %+v (-want +got):\n%s", q, diff)
		}
	}
	top, err := c.Top(storeName)
	if errors.Is(err, catalog.ErrDamaged) {
		return false
	}
	if err != nil || string(top.Data) != string(w.list.Bytes()) && top.List.Has(lastBuild) {
		t.Fatalf("wrong list: %v", err)
	}
	return true
}

// lastBuild came with the last sync. A catalog whose log lost its end is what it
// was before, which is as right as one that was not synced since.
const lastBuild = "42.1"

// copyDir copies a directory as it is at the moment.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// filesIn gives the contents of the files of a database.
func filesIn(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	paths, err := filepath.Glob(filepath.Join(dir, "db", "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, path := range append(paths, filepath.Join(dir, "seal")) {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = data
	}
	return all
}

// harm damages a file in one of several ways.
func harm(r *rand.Rand, data []byte) []byte {
	data = slices.Clone(data)
	end := len(data)
	for end > 0 && data[end-1] == 0 {
		end-- // logs are sparse
	}
	if end == 0 {
		return append(data, "more"...)
	}
	switch at := r.IntN(end); r.IntN(4) {
	case 0:
		return data[:at] // cut short
	case 1:
		clear(data[at:end]) // lost by a power cut
	case 2:
		for i := at; i < min(at+64, end); i++ {
			data[i] = byte(r.Uint32())
		}
	default:
		data[at] ^= 1 << r.IntN(8)
	}
	return data
}

// Whatever happens to the files of a catalog, it gives right answers or none, and
// the next sync brings all back.
func TestDamage(t *testing.T) {
	closed := t.TempDir()
	w, c := filled(t, closed)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = open(t, closed) // now there are tables and a log
	w.grow(t, rand.New(rand.NewPCG(8, 8)), lastBuild)
	w.bring(t, c)
	killed := copyDir(t, closed) // as kill -9 would leave it
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for state, dir := range map[string]string{"closed": closed, "killed": killed} {
		files := filesIn(t, dir)
		for _, name := range slices.Sorted(maps.Keys(files)) {
			t.Run(state+"/"+filepath.Base(name), func(t *testing.T) {
				kept := 0
				for seed := range uint64(rounds(t)) {
					if w.survives(t, dir, name, harm(rand.New(rand.NewPCG(seed, 3)), files[name])) {
						kept++
					}
				}
				t.Logf("%d of %d kept", kept, rounds(t))
			})
		}
		again := open(t, copyDir(t, dir))
		if !w.right(t, again) {
			t.Errorf("%s: without any damage the catalog is empty", state)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

func rounds(t *testing.T) int {
	t.Helper()
	if testing.Short() {
		return 3
	}
	return 12
}

// survives opens a catalog with one file replaced, and says whether it still knew
// its answers.
func (w *world) survives(t *testing.T, dir, name string, data []byte) (kept bool) {
	t.Helper()
	dir = copyDir(t, dir)
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
		t.Fatal(err)
	}
	c := open(t, dir)
	kept = w.right(t, c)
	w.bring(t, c)
	if !w.right(t, c) || len(listed(t, c)) != len(w.order) {
		t.Error("a sync did not bring the catalog back")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
	return kept
}

// A table that was being written when the process was killed costs nothing that was
// recorded.
func TestTableThatIsHalfWritten(t *testing.T) {
	dir := t.TempDir()
	w, c := filled(t, dir)
	killed := copyDir(t, dir)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(killed, "db", "000077.sst"), make([]byte, 4<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	c = open(t, killed)
	if !w.right(t, c) {
		t.Error("the catalog is empty")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// Files that go missing are damage, too.
func TestLostFiles(t *testing.T) {
	dir := t.TempDir()
	w, c := filled(t, dir)
	killed := copyDir(t, dir)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{dir, killed} {
		for name := range filesIn(t, from) {
			lost := copyDir(t, from)
			if err := os.Remove(filepath.Join(lost, name)); err != nil {
				t.Fatal(err)
			}
			c := open(t, lost)
			w.right(t, c)
			w.bring(t, c)
			if !w.right(t, c) {
				t.Errorf("%s is lost: a sync did not bring the catalog back", name)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A start that dies while it opens the database, for whatever reason, is the last
// one that does.
func TestDeathWhileOpening(t *testing.T) {
	dir := t.TempDir()
	w, c := filled(t, dir)
	dead := copyDir(t, dir)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dead, "open"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c = open(t, dead)
	if w.right(t, c) {
		t.Error("what may have killed the program is opened again")
	}
	w.bring(t, c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = open(t, dead)
	if !w.right(t, c) {
		t.Error("the new catalog did not last")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	_, c := filled(t, dir)
	if _, err := catalog.Open(t.Context(), catalog.Config{Dir: dir}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("opened twice: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir).Close(); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

// killEnv names the directory in which the test program fills a catalog until it
// is killed.
const killEnv = "COSAFS_CATALOG_KILL"

// TestKillChild is what TestKill kills.
func TestKillChild(t *testing.T) {
	dir := os.Getenv(killEnv)
	if dir == "" {
		t.Skip("it is a part of TestKill")
	}
	s := manyBuilds(t, killBuilds)
	c := open(t, dir)
	_, err := c.Sync(t.Context(), storeName, s, catalog.Options{Progress: func(done, _ int) {
		fmt.Println("done", done)
	}})
	for err == nil { // and goes on with changes
		s.put("b199/x86_64/meta.json", metaOf("b199", "x86_64", epoch, "qemu"))
		s.edit(func(b *index.Builds) {
			if b.Remove("b100") == 0 {
				err = b.Insert("b100", "x86_64")
			}
		})
		if err == nil {
			_, err = c.Sync(t.Context(), storeName, s, catalog.Options{Recheck: 5})
		}
		fmt.Println("done more")
	}
	t.Fatal(err)
}

const killBuilds = 200

// manyBuilds makes builds with so many images that the database has to write tables
// every now and then, and not only its log.
func manyBuilds(t *testing.T, n int) *store {
	t.Helper()
	var kinds []string
	for i := range 60 {
		kinds = append(kinds, fmt.Sprint("kind", i))
	}
	s := newStore()
	for i := range n {
		id := fmt.Sprintf("b%03d", i)
		s.build(t, id, epoch, "x86_64", "aarch64")
		for _, arch := range []string{"x86_64", "aarch64"} {
			s.put(id+"/"+arch+"/meta.json", metaOf(id, arch, epoch, kinds...))
		}
	}
	return s
}

// A catalog whose process was killed at any moment opens without loss of what was
// recorded, and goes on.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts programs")
	}
	dir := t.TempDir()
	s := manyBuilds(t, killBuilds)
	moments := []int{1, 60, 130, 190, 203, 220}
	if underRace {
		moments = []int{60, 203} // each takes half a minute: make test runs all without
	}
	for _, lines := range moments {
		killAfter(t, dir, lines)
		c := open(t, dir)
		s.asked()
		r := sync1(t, c, s, catalog.Options{Recheck: 1})
		if _, _, reads := s.asked(); reads > 2*killBuilds-2*min(lines, killBuilds-3) {
			t.Errorf("%d builds were recorded, then %d files were read", lines, reads)
		}
		if got := listed(t, c); len(got) != killBuilds || r.Builds != killBuilds {
			t.Fatalf("after %d lines: %d builds; %+v", lines, len(got), r)
		}
		for _, id := range []string{"b000", "b100", "b199"} {
			if q := (catalog.Query{SHA256: digestOf(id, "aarch64", "kind7")}); !slices.Equal(found(t, c, q), []string{id + "/aarch64"}) {
				t.Errorf("after %d lines: %s is not found", lines, id)
			}
		}
		if err := errors.Join(c.Forget(storeName), c.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter runs TestKillChild until it told of so much, and kills it.
func killAfter(t *testing.T, dir string, lines int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKillChild$")
	cmd.Env = append(os.Environ(), killEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1)
	for n := 0; n < lines && err == nil; {
		if _, err = out.Read(buf); buf[0] == '\n' {
			n++
		}
	}
	if err != nil {
		t.Errorf("it ended by itself: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
}
