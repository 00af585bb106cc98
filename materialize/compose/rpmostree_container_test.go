package compose_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cosafs/materialize"
)

// standInPodman runs what is "in the image" on this machine.
const standInPodman = `#!/bin/sh
case=$(dirname "$0")
printf '%s\n' "$@" >"$case/podman-$1"
[ "$1" = rm ] && exit
while [ "$1" != rpm-ostree ]; do shift; done
shift
exec "$case/rpm-ostree" "$@"
`

func TestComposeInContainer(t *testing.T) {
	r := newReplay(t, "changed", manifest, commits)
	podman := filepath.Join(r.dir, "podman")
	write(t, podman, standInPodman)
	if err := os.Chmod(podman, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", r.dir+":"+os.Getenv("PATH"))
	r.cfg.Program, r.cfg.Container, r.task.Job = "", "example.com/cosa:stable", "j1"
	if _, err := r.compose(t.Context(), t, materialize.ComposeRequest{}); err != nil {
		t.Fatal(err)
	}
	args := strings.Split(r.told(t, "podman-run"), "\n")
	for _, want := range []string{"--privileged", "--volume=" + r.cfg.Workdir + ":" + r.cfg.Workdir, "example.com/cosa:stable", "--name=cosafs-compose-j1"} {
		if !slices.Contains(args, want) {
			t.Errorf("no %s in %v", want, args)
		}
	}
	write(t, filepath.Join(r.dir, "script"), "kill -KILL $$")
	if _, err := r.compose(t.Context(), t, materialize.ComposeRequest{}); err == nil {
		t.Error("podman was killed, yet no failure")
	}
	if !strings.HasSuffix(r.told(t, "podman-rm"), "cosafs-compose-j1") {
		t.Error("the container of a killed podman was not removed")
	}
}

func TestComposeWithoutPodman(t *testing.T) {
	cfg := workdir(t, manifest)
	cfg.Container = "example.com/cosa"
	t.Setenv("PATH", t.TempDir())
	r := &replay{cfg: cfg, task: &materialize.Task{Scratch: filepath.Join(cfg.Workdir, "scratch")}}
	_, err := r.compose(t.Context(), t, materialize.ComposeRequest{})
	if class, hint := materialize.ClassOf(err); class != materialize.ClassTool || !strings.Contains(hint, "podman") {
		t.Errorf("%v, hint %q", err, hint)
	}
}
