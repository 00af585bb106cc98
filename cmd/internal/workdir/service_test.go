package workdir

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

func TestParsePaths(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1, 2)
	for path, want := range map[string]materialize.Target{
		"next/x86_64/qemu.qcow2":                {Build: "next", Arch: testArch, Kind: "qemu"},
		"/next/x86_64/qemu.qcow2":               {Build: "next", Arch: testArch, Kind: "qemu"},
		"next/qemu":                             {Build: "next", Arch: testArch, Kind: "qemu"},
		"latest/x86_64/metal.raw":               {Build: "1.2", Arch: testArch, Kind: "metal"},
		"qemu":                                  {Build: "1.2", Arch: testArch, Kind: "qemu"},
		"1.1/ostree":                            {Build: "1.1", Arch: testArch, Kind: "ostree"},
		"1.1/x86_64/tiny-1.1-qemu.x86_64.qcow2": {Build: "1.1", Arch: testArch, Kind: "qemu"},
	} {
		if got, err := w.parse(t.Context(), path); err != nil || got != want {
			t.Errorf("%s is %+v, %v; want %+v", path, got, err, want)
		}
	}
	for path, want := range map[string]error{
		"": fs.ErrInvalid, "a/b/c/d": fs.ErrInvalid, "next/x86_64/nonesuch": fs.ErrInvalid, "1.1/x86_64/dasd.raw": materialize.ErrNotMakeable,
		"0.9/x86_64/qemu.qcow2": fs.ErrNotExist, "../x86_64/qemu.qcow2": fs.ErrNotExist, "1.1/../qemu.qcow2": fs.ErrNotExist,
		"1.1/s390x/qemu.qcow2": fs.ErrNotExist,
	} {
		_, err := w.parse(t.Context(), path)
		if _, hint := materialize.ClassOf(err); !errors.Is(err, want) || hint == "" {
			t.Errorf("%q: %v, want %v and a hint", path, err, want)
		}
	}
}

func TestLatestOfNothing(t *testing.T) {
	w := newWorkdir(t)
	_, err := w.Plan(t.Context(), "latest/x86_64/qemu.qcow2")
	if _, hint := materialize.ClassOf(err); !errors.Is(err, fs.ErrNotExist) || hint == "" {
		t.Errorf("plan = %v", err)
	}
	if p, err := w.Plan(t.Context(), "next/x86_64/qemu.qcow2"); err != nil || p.State != materialize.StateBuildable {
		t.Errorf("plan of next = %+v, %v", p, err)
	}
}

func TestShow(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1, 2)
	if err := os.RemoveAll(w.records.path("1.1")); err != nil {
		t.Fatal(err)
	}
	info, err := w.Show(t.Context(), "latest", "")
	if err != nil || info.ID != "1.2" || info.Arch != testArch || info.Version != "1.2" || info.Problem != "" || len(info.Artifacts) != 1 || len(info.Buildable) == 0 {
		t.Errorf("show latest = %+v, %v", info, err)
	}
	if info.Config != "0123456789" {
		t.Errorf("config = %q", info.Config)
	}
	if info, err := w.Show(t.Context(), "1.1", ""); err != nil || info.Problem == "" || info.Local {
		t.Errorf("show of a build that is gone = %+v, %v", info, err)
	}
	if _, err := w.Show(t.Context(), "0.9", ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("show of no build: %v", err)
	}
	all, err := w.Builds(t.Context())
	if err != nil || len(all) != 2 || all[0].ID != "1.2" || all[1].Problem == "" {
		t.Errorf("builds = %+v, %v", all, err)
	}
}

func TestBuildRefusesBeforeItBegins(t *testing.T) {
	w := newWorkdir(t)
	for _, c := range []struct {
		req  webui.BuildRequest
		want error
	}{
		{webui.BuildRequest{Arch: "s390x"}, errors.ErrUnsupported},
		{webui.BuildRequest{Kinds: []string{"extensions-container"}}, materialize.ErrNotMakeable},
		{webui.BuildRequest{Version: "next"}, fs.ErrInvalid},
	} {
		if _, err := w.Build(t.Context(), c.req, nil); !errors.Is(err, c.want) {
			t.Errorf("build %+v: %v, want %v", c.req, err, c.want)
		}
	}
	if jobs := w.runner.Jobs(); len(jobs) != 0 {
		t.Errorf("jobs = %+v", jobs)
	}
}

// Pruning keeps what somebody reads through a door of this process.
func TestPruneWhileReading(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1, 2, 3)
	e, err := w.Library().Resolve(t.Context(), "1.1", testArch, "ostree.tar")
	if err != nil {
		t.Fatal(err)
	}
	blob, err := w.Library().Open(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1.2", "1.1"} {
		gone, err := w.Prune(t.Context(), webui.PruneRequest{Keep: 1})
		if err != nil || len(gone) != 1 || gone[0].ID != want {
			t.Errorf("pruned %+v, %v; want %s", gone, err, want)
		}
		if want == "1.2" {
			if err := blob.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTagLatest(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1, 2)
	if err := w.Tag(t.Context(), "good", "latest"); err != nil {
		t.Fatal(err)
	}
	if info, err := w.Show(t.Context(), "1.2", ""); err != nil || len(info.Tags) != 1 || info.Tags[0] != "good" {
		t.Errorf("show = %+v, %v", info, err)
	}
	if err := w.Untag(t.Context(), "good"); err != nil {
		t.Error(err)
	}
}
