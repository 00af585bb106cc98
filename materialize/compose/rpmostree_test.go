package compose_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cosafs/materialize"
	"cosafs/materialize/compose"
)

// standIn replays a case: it prints what rpm-ostree printed, runs the case's
// own script, and ends as rpm-ostree ended.
const standIn = `#!/bin/sh
case=$(dirname "$0")
for a; do
	case $a in
	--write-composejson-to=*) out=${a#*=} ;;
	--ex-write-lockfile-to=*) lock=${a#*=} ;;
	--touch-if-changed=*) stamp=${a#*=} ;;
	--cachedir=*) cache=${a#*=} ;;
	--repo=*) repo=${a#*=} ;;
	esac
	manifest=$a
done
printf '%s\n' "$@" >"$case/args"
umask >"$case/umask"
echo "$SOURCE_DATE_EPOCH" >"$case/epoch"
cp "$manifest" "$case/manifest"
cat "$case/stdout"
cat "$case/stderr" >&2
. "$case/script"
exit "$(cat "$case/status")"
`

// commits is the script of a case in which a commit is made.
const commits = `
printf '{"packages":{"app":{"evra":"1.1-1.x86_64","digest":"sha256:00","metadata":{"sourcerpm":"app"}}}}' >"$lock"
mkdir -p "$case/tree/usr" && echo "$$" >"$case/tree/usr/pid"
commit=$(ostree commit --repo="$repo" --branch=tinyos/x86_64/stable --tree=dir="$case/tree" --owner-uid=0 --owner-gid=0 --no-xattrs \
	--add-metadata-string=version=1.0 --add-metadata-string=rpmostree.inputhash=22 \
	--add-metadata="rpmostree.rpmdb.pkglist=[('app','0','1.1','1','x86_64')]")
printf '{"ref":"tinyos/x86_64/stable","ostree-n-metadata-total":9,"ostree-content-bytes-written":2744,"ostree-commit":"%s","ostree-content-checksum":"33","ostree-version":"1.0","ostree-timestamp":"2026-11-22T19:45:51Z","rpm-ostree-inputhash":"22","pkgdiff":[]}' "$commit" >"$out"
: >"$stamp"
`

// A replay is a compose with the stand-in.
type replay struct {
	cfg      compose.Config
	dir      string // of the case
	log      bytes.Buffer
	progress []float64
	task     *materialize.Task
}

// newReplay prepares a case from testdata/rpm-ostree with a script of its own.
func newReplay(t *testing.T, name, archive, script string) *replay {
	t.Helper()
	needTool(t, "ostree")
	r := &replay{cfg: workdir(t, archive), dir: t.TempDir()}
	data, err := os.ReadFile(filepath.Join("testdata/rpm-ostree", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	section := ""
	parts := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "-- "); ok {
			section = strings.TrimSuffix(rest, " --\n")
			continue
		}
		parts[section] += line
	}
	for _, name := range []string{"status", "stdout", "stderr"} {
		write(t, filepath.Join(r.dir, name), parts[name])
	}
	write(t, filepath.Join(r.dir, "script"), script)
	r.cfg.Program = filepath.Join(r.dir, "rpm-ostree")
	write(t, r.cfg.Program, standIn)
	if err := os.Chmod(r.cfg.Program, 0o755); err != nil {
		t.Fatal(err)
	}
	scratch := filepath.Join(r.cfg.Workdir, "tmp/cosafs/job")
	r.task = &materialize.Task{Scratch: scratch, Log: &r.log, Progress: func(_ string, f float64) { r.progress = append(r.progress, f) }}
	return r
}

// compose runs the engine with a fresh scratch directory.
func (r *replay) compose(ctx context.Context, t *testing.T, req materialize.ComposeRequest) (materialize.Commit, error) {
	t.Helper()
	if err := os.RemoveAll(r.task.Scratch); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(r.task.Scratch, 0o755); err != nil {
		t.Fatal(err)
	}
	return compose.NewRPMOSTree(r.cfg).Compose(ctx, req, r.task)
}

// told reads what the stand-in noted.
func (r *replay) told(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

func (r *replay) args(t *testing.T) []string {
	t.Helper()
	return strings.Split(r.told(t, "args"), "\n")
}

// needTool skips without a tool, or fails where COSAFS_TEST_REQUIRE lists it.
func needTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("COSAFS_TEST_REQUIRE"), ","), name) {
		t.Fatalf("%s is required but not installed", name)
	}
	t.Skipf("%s is not installed", name)
}

func TestComposeChanged(t *testing.T) {
	r := newReplay(t, "changed", manifest, commits)
	previous := &materialize.Previous{
		Commit: strings.Repeat("1", 64), Version: "0.9", InputHash: strings.Repeat("9", 64),
		Packages: []materialize.Package{{Name: "app", Epoch: "0", Version: "1.0", Release: "1", Arch: "x86_64"}},
	}
	c, err := r.compose(t.Context(), t, materialize.ComposeRequest{
		Arch: "x86_64", Version: "1.0", Previous: previous, Timestamp: time.Unix(1234567890, 0),
		ImageJSON: []byte(`{"size":1}`), Metadata: map[string]string{"coreos-assembler.basearch": "x86_64"},
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

func TestComposeFailures(t *testing.T) {
	tests := []struct {
		name  string
		class materialize.Class
		says  string // in the message
		hint  string // in the hint
	}{
		{"missing-package", materialize.ClassPackage, "Packages not found: nosuch", "spelling of nosuch"},
		{"broken-dependency", materialize.ClassPackage, "nothing provides no-such-capability >= 3 needed by broken-1-1.noarch", "provides what is missing"},
		{"bad-yaml", materialize.ClassConfig, "line 2 column 6", "edit conf/bad.yaml"},
		{"bad-json", materialize.ClassConfig, "trailing comma", "edit conf/bad.json"},
		{"unknown-key", materialize.ClassConfig, "Unknown fields: frobnicate", "edit conf/m.yaml"},
		{"duplicate-key", materialize.ClassConfig, "duplicate field `ref`", "edit conf/m.yaml"},
		{"missing-include", materialize.ClassConfig, "nosuch.yaml", "create conf/nosuch.yaml"},
		{"include-loop", materialize.ClassConfig, "Include loop", "once"},
		{"missing-repo-id", materialize.ClassConfig, "nosuchrepo", "[nosuchrepo]"},
		{"repo-unreachable", materialize.ClassNetwork, "no-such-dir was not found", "baseurl of dead"},
		{"unsigned", materialize.ClassPackage, "cannot be verified", "gpgkey"},
		{"locked-package", materialize.ClassPackage, "Packages not found: app", "lockfile"},
		{"bad-repo-path", materialize.ClassInternal, "opendir(nonexist)", "log"},
		{"no-treefile", materialize.ClassConfig, "TREEFILE must be specified", "extra arguments"},
		{"unknown-flag", materialize.ClassTool, "--frob", "2025.6"},
		{"failing-scriptlet", materialize.ClassPackage, "exited with status 7, after it said: about to fail", "failpost"},
		{"failing-postprocess", materialize.ClassConfig, "exited with status 3", "postprocess"},
		{"no-kernel", materialize.ClassConfig, "/usr/lib/modules is empty", "kernel package"},
		{"selinux", materialize.ClassConfig, "SELinux", "selinux: false"},
		{"preserve-passwd", materialize.ClassConfig, "/etc/passwd", "preserve-passwd: false"},
		{"default-target", materialize.ClassConfig, "default-target", "mend default-target"},
		{"no-bwrap", materialize.ClassTool, "bwrap", "install bubblewrap"},
		{"no-fuse", materialize.ClassTool, "Creating bwrap instance", "/dev/fuse"},
		{"not-root", materialize.ClassTool, "Creating bwrap instance", "root"},
		{"bogus-parent", materialize.ClassConfig, "Refspec '0000' not found", "parent"},
		{"bad-metadata", materialize.ClassConfig, "novalue", "extra arguments"},
		{"disk-full", materialize.ClassSpace, "No space left on device", "free some space"},
		{"commitid-unwritable", materialize.ClassInternal, "commit-id", "compose again"},
		{"no-image", materialize.ClassNetwork, "no such host", "container image"},
		{"silent", materialize.ClassInternal, "without a message", "log"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReplay(t, tt.name, manifest, "")
			_, err := r.compose(t.Context(), t, materialize.ComposeRequest{})
			class, hint := materialize.ClassOf(err)
			if class != tt.class || !strings.Contains(hint, tt.hint) {
				t.Errorf("class %s, hint %q of %v", class, hint, err)
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v does not say %q on one line", err, tt.says)
			}
		})
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
	needTool(t, "mkfifo")
	r := newReplay(t, "silent", manifest, `trap 'echo TERM >"$case/signal"; exit 143' TERM; : >"$case/running"; while :; do sleep 0.01; done`)
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

// Two composes of one cache run one after the other.
func TestComposeOneAtATime(t *testing.T) {
	r := newReplay(t, "changed", manifest, `mkdir "$case/busy" || exit 9; sleep 0.3; rmdir "$case/busy"`+commits)
	other := *r
	other.task = &materialize.Task{Scratch: r.task.Scratch + "2", Log: &other.log}
	done := make(chan error)
	go func() {
		_, err := other.compose(t.Context(), t, materialize.ComposeRequest{})
		done <- err
	}()
	_, err := r.compose(t.Context(), t, materialize.ComposeRequest{})
	if err := errors.Join(err, <-done); err != nil {
		t.Error(err)
	}
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
