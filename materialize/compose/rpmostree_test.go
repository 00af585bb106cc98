package compose_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"cosafs/materialize"
	"cosafs/materialize/compose"
	"cosafs/test/need"
)

func TestComposeChanged(t *testing.T) {
	r := newReplay(t, "changed", manifest, commits)
	previous := &materialize.Previous{
		Commit: strings.Repeat("1", 64), Version: "0.9", InputHash: strings.Repeat("9", 64),
		Packages: []materialize.Package{{Name: "app", Epoch: "0", Version: "1.0", Release: "1", Arch: "x86_64"}},
	}
	c, err := r.compose(t.Context(), t, materialize.ComposeRequest{
		Arch: "x86_64", Version: "1.0", Previous: previous, Timestamp: time.Unix(1234567890, 0),
		ImageJSON: []byte(`{"size":1}`), PlatformsJSON: []byte(`{"aws":{}}`), Metadata: map[string]string{"coreos-assembler.basearch": "x86_64"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Unchanged || c.Version != "1.0" || c.Ref != "tinyos/x86_64/stable" || c.InputHash != "22" || c.ContentChecksum != "33" {
		t.Errorf("commit %+v", c)
	}
	if want := []materialize.Package{{Name: "app", Epoch: "0", Version: "1.1", Release: "1", Arch: "x86_64"}}; !cmp.Equal(c.Packages, want) {
		t.Errorf("packages %v", c.Packages)
	}
	if want := map[string]int64{"ostree-n-metadata-total": 9, "ostree-content-bytes-written": 2744}; !cmp.Equal(c.Stats, want) {
		t.Errorf("stats %v", c.Stats)
	}
	if want := `[["app",2,{"NewPackage":["app","1.1-1","x86_64"],"PreviousPackage":["app","1.0-1","x86_64"]}]]`; string(c.PkgDiff) != want {
		t.Errorf("pkgdiff %s", c.PkgDiff)
	}
	if strings.Contains(string(c.Lockfile), "digest") || !strings.Contains(string(c.Lockfile), "1.1-1.x86_64") {
		t.Errorf("lockfile %s", c.Lockfile)
	}
	var meta map[string]any
	if err := json.Unmarshal(c.CommitMeta, &meta); err != nil || meta["version"] != "1.0" {
		t.Errorf("commitmeta %s, %v", c.CommitMeta, err)
	}
	if !compose.NewOSTree(r.cfg).Has(t.Context(), c.Checksum) || c.Repo != r.cfg.BareRepo {
		t.Error("the commit is not in the bare-user repository")
	}
	checkRun(t, r)
}

// checkRun looks at how rpm-ostree was started, and at the progress.
func checkRun(t *testing.T, r *replay) {
	t.Helper()
	args := r.args(t)
	for _, want := range []string{"--unified-core", "--no-parent", "--previous-inputhash=" + strings.Repeat("9", 64), "--previous-version=0.9", "--add-metadata-string=version=1.0"} {
		if !slices.Contains(args, want) {
			t.Errorf("no %s in %v", want, args)
		}
	}
	if slices.Contains(args, "--force-nocache") {
		t.Error("forced although there is something to compare with")
	}
	if r.told(t, "umask") != "0022" || r.told(t, "epoch") != "1234567890" {
		t.Errorf("umask %s, SOURCE_DATE_EPOCH %s", r.told(t, "umask"), r.told(t, "epoch"))
	}
	if !strings.Contains(r.told(t, "manifest"), `"overlay/cosafs-image"`) {
		t.Errorf("the image configuration is not a layer: %s", r.told(t, "manifest"))
	}
	layer := ls(t, r.cfg.Repo, "overlay/cosafs-image")
	for _, name := range []string{"image.json", "platforms.json"} {
		if layer["/usr/share/coreos-assembler/"+name] != "-00644 0 0" {
			t.Errorf("%s is not in its layer: %v", name, layer)
		}
	}
	if !slices.IsSorted(r.progress) || len(r.progress) < 10 {
		t.Errorf("progress %v", r.progress)
	}
	if !strings.Contains(r.log.String(), "app.post: post of app") || !strings.Contains(r.log.String(), "rpm-ostree version:") {
		t.Errorf("the log lacks output: %s", r.log.String())
	}
}

func TestComposeUnchanged(t *testing.T) {
	r := newReplay(t, "unchanged", manifest, "")
	previous := &materialize.Previous{Commit: strings.Repeat("1", 64), Version: "0.9", InputHash: "22"}
	want := materialize.Commit{Unchanged: true, Checksum: previous.Commit, Version: "0.9", InputHash: "22"}
	got, err := r.compose(t.Context(), t, materialize.ComposeRequest{Previous: previous})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	// rpm-ostree may touch the stamp of a run that gave nothing; only the result counts.
	write(t, filepath.Join(r.dir, "script"), `: >"$stamp"`)
	if got, err = r.compose(t.Context(), t, materialize.ComposeRequest{Previous: previous}); err != nil || !got.Unchanged {
		t.Errorf("with a stamp: %v, %v", got, err)
	}
}

// A first compose may meet a ref that an earlier one left; it must not take
// "unchanged" for an answer.
func TestComposeFirstIsForced(t *testing.T) {
	r := newReplay(t, "unchanged", manifest, "")
	if c, err := r.compose(t.Context(), t, materialize.ComposeRequest{}); err == nil {
		t.Errorf("no previous build, yet unchanged: %+v", c)
	}
	if !slices.Contains(r.args(t), "--force-nocache") {
		t.Error("not forced")
	}
}

func TestComposePreviousCommit(t *testing.T) {
	r := newReplay(t, "changed", manifest, commits)
	first, err := r.compose(t.Context(), t, materialize.ComposeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.compose(t.Context(), t, materialize.ComposeRequest{
		Previous: &materialize.Previous{Commit: first.Checksum, InputHash: first.InputHash}, Parent: first.Checksum,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--previous-commit=" + first.Checksum, "--parent=" + first.Checksum} {
		if !slices.Contains(r.args(t), want) {
			t.Errorf("no %s in %v", want, r.args(t))
		}
	}
	// Without a record of what it was made from, a previous build that is gone
	// can't be compared with.
	_, err = r.compose(t.Context(), t, materialize.ComposeRequest{Previous: &materialize.Previous{Commit: strings.Repeat("1", 64)}})
	if err != nil || !slices.Contains(r.args(t), "--force-nocache") {
		t.Errorf("not forced: %v, %v", r.args(t), err)
	}
}

// rpm-ostree moves the ref before it touches the stamp. When that fails there
// is a commit, but a run that reports an error is never taken for a success.
func TestComposeStampUnwritable(t *testing.T) {
	r := newReplay(t, "stamp-unwritable", manifest, commits)
	c, err := r.compose(t.Context(), t, materialize.ComposeRequest{})
	if class, hint := materialize.ClassOf(err); class != materialize.ClassInternal || !strings.Contains(hint, "compose again") {
		t.Errorf("%+v, %v, hint %q", c, err, hint)
	}
}

func TestComposeKilledLeavesNothing(t *testing.T) {
	r := newReplay(t, "changed", manifest, `mkdir "$cache/rpm-ostree-compose.YELgS8"; kill -KILL $$`)
	_, err := r.compose(t.Context(), t, materialize.ComposeRequest{})
	if class, hint := materialize.ClassOf(err); class != materialize.ClassTool || !strings.Contains(hint, "memory") {
		t.Errorf("%v, hint %q", err, hint)
	}
	write(t, filepath.Join(r.dir, "script"), `ls "$cache" >"$case/cache"`+commits)
	if _, err := r.compose(t.Context(), t, materialize.ComposeRequest{}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.told(t, "cache"), "rpm-ostree-compose.") {
		t.Errorf("leftover is still there: %s", r.told(t, "cache"))
	}
}

func TestComposeAborts(t *testing.T) {
	r := newReplay(t, "silent", manifest, "echo 'assertion failed' >&2; kill -ABRT $$")
	_, err := r.compose(t.Context(), t, materialize.ComposeRequest{})
	if class, _ := materialize.ClassOf(err); class != materialize.ClassInternal || !strings.Contains(err.Error(), "assertion failed") {
		t.Errorf("%s: %v", class, err)
	}
}

// The script tells the test that it runs by opening a FIFO, and ends by
// SIGTERM only.
func TestComposeCancelled(t *testing.T) {
	need.Tool(t, "mkfifo")
	r := newReplay(t, "silent", manifest, `trap 'echo TERM >"$case/signal"; exit 143' TERM; : >"$case/running"; sleep 1000 & wait`)
	fifo := filepath.Join(r.dir, "running")
	if err := exec.CommandContext(t.Context(), "mkfifo", fifo).Run(); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("nobody waits")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		if _, err := os.ReadFile(fifo); err != nil { // blocks until the script opens it
			t.Error(err)
		}
		cancel(cause)
	}()
	_, err := r.compose(ctx, t, materialize.ComposeRequest{})
	if !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause of the end", err)
	}
	if r.told(t, "signal") != "TERM" {
		t.Error("the program was not asked to end")
	}
}

// A compose waits for another one of the same cache, in whatever process.
func TestComposeOneAtATime(t *testing.T) {
	r := newReplay(t, "changed", manifest, commits)
	write(t, filepath.Join(r.cfg.Cache, "cosafs-compose.lock"), "")
	held, err := os.Open(filepath.Join(r.cfg.Cache, "cosafs-compose.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	waits := newWatch("another compose uses")
	r.task.Log = waits
	done := make(chan error)
	go func() {
		_, err := r.compose(t.Context(), t, materialize.ComposeRequest{})
		done <- err
	}()
	<-waits.seen
	if _, err := os.Stat(filepath.Join(r.dir, "args")); err == nil {
		t.Error("rpm-ostree was started while another compose ran")
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Waiting for another compose ends with ctx.
func TestComposeGivesUpWaiting(t *testing.T) {
	r := newReplay(t, "changed", manifest, commits)
	write(t, filepath.Join(r.cfg.Cache, "cosafs-compose.lock"), "")
	held, err := os.Open(filepath.Join(r.cfg.Cache, "cosafs-compose.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(materialize.ErrAbandoned)
	if _, err := r.compose(ctx, t, materialize.ComposeRequest{}); !errors.Is(err, materialize.ErrAbandoned) {
		t.Errorf("got %v", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
}

// A watch is a log that says when it has a text.
type watch struct {
	text string
	seen chan struct{}
	once sync.Once
}

func newWatch(text string) *watch { return &watch{text: text, seen: make(chan struct{})} }

func (w *watch) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.text) {
		w.once.Do(func() { close(w.seen) })
	}
	return len(p), nil
}

func TestComposeWithoutTool(t *testing.T) {
	cfg := workdir(t, manifest)
	cfg.Program = filepath.Join(cfg.Workdir, "nosuch")
	_, err := compose.NewRPMOSTree(cfg).Compose(t.Context(), materialize.ComposeRequest{}, &materialize.Task{Scratch: t.TempDir()})
	if class, hint := materialize.ClassOf(err); class != materialize.ClassTool || !strings.Contains(hint, "dnf") {
		t.Errorf("%v, hint %q", err, hint)
	}
}

func TestComposeBrokenManifest(t *testing.T) {
	r := newReplay(t, "changed", "-- src/config/manifest.yaml --\nfrobnicate: 1\n", commits)
	_, err := r.compose(t.Context(), t, materialize.ComposeRequest{})
	if _, ok := errors.AsType[*compose.SourceError](err); !ok {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "args")); err == nil {
		t.Error("rpm-ostree was started for a manifest that is known to be wrong")
	}
}
