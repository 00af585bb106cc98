package compose

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// run is an invocation with its least.
func run() invocation {
	return invocation{
		program: "/usr/bin/rpm-ostree", manifest: "/s/manifest.json", repo: "/w/tmp/repo", cache: "/w/cache",
		stamp: "/s/changed", composeJSON: "/s/compose.json", lockOut: "/s/lock.json", metadata: "/s/metadata.json",
	}
}

func TestArgv(t *testing.T) {
	const files = "--unified-core --repo=/w/tmp/repo --cachedir=/w/cache --touch-if-changed=/s/changed " +
		"--write-composejson-to=/s/compose.json --ex-write-lockfile-to=/s/lock.json "
	tests := []struct {
		name   string
		change func(*invocation)
		want   string
	}{
		{"least", func(*invocation) {},
			"/usr/bin/rpm-ostree compose tree " + files + "--no-parent --add-metadata-from-json=/s/metadata.json /s/manifest.json"},
		{"all", func(v *invocation) {
			v.locks, v.parent, v.force, v.version = []string{"/c/a.json", "/c/b.json"}, "aa", true, "42.7"
			v.previousCommit, v.previousVersion, v.extra = "bb", "42.6", []string{"--cache-only"}
		}, "/usr/bin/rpm-ostree compose tree " + files + "--ex-lockfile=/c/a.json --ex-lockfile=/c/b.json --force-nocache --parent=aa " +
			"--previous-commit=bb --previous-version=42.6 --add-metadata-string=version=42.7 " +
			"--add-metadata-from-json=/s/metadata.json --cache-only /s/manifest.json"},
		{"container", func(v *invocation) {
			v.program, v.image, v.container = "/usr/bin/podman", "example.com/cosa", "cosafs-compose-7"
			v.mounts, v.epoch, v.previousHash = []string{"/w", "/conf"}, time.Unix(5, 0), "cc"
		}, "/usr/bin/podman run --rm --init --privileged --security-opt=label=disable --name=cosafs-compose-7 " +
			"--volume=/w:/w --volume=/conf:/conf --env=SOURCE_DATE_EPOCH=5 example.com/cosa rpm-ostree compose tree " + files +
			"--no-parent --previous-inputhash=cc --add-metadata-from-json=/s/metadata.json /s/manifest.json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := run()
			tt.change(&v)
			argv := v.argv()
			if v.image == "" { // the shell's part has spaces of its own
				if want := []string{"/bin/sh", "-c", `umask 0022; exec "$0" "$@"`}; !cmp.Equal(argv[:3], want) {
					t.Errorf("starts with %q", argv[:3])
				}
				argv = argv[3:]
			}
			if diff := cmp.Diff(strings.Fields(tt.want), argv); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMounts(t *testing.T) {
	work, conf, repo := t.TempDir(), t.TempDir(), t.TempDir()
	cfg := Config{Workdir: work, Arch: "x86_64"}.WithDefaults()
	for name, data := range map[string]string{
		filepath.Join(conf, "manifest.yaml"): "repos: [local]\n",
		filepath.Join(conf, "a.repo"):        "[local]\nbaseurl=file://" + repo + "\n[other]\nbaseurl=file:///nonexistent\n",
	} {
		if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(work, "src"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(conf, cfg.Dir); err != nil {
		t.Fatal(err)
	}
	tf, err := LoadTreefile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := mounts(cfg, tf, filepath.Join(work, "tmp/cosafs/1"))
	want := outermost([]string{work, conf, repo})
	if !cmp.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
