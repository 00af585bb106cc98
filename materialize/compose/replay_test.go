package compose_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/materialize"
	"cosafs/materialize/compose"
	"cosafs/test/need"
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
	need.Tool(t, "ostree")
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
