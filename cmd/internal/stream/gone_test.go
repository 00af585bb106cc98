package stream_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/materialize"
)

func readAll(t *testing.T, body io.ReadCloser) []byte {
	t.Helper()
	data, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		t.Fatal(err)
	}
	return data
}

// wantGone checks that an image shows as gone, with the reason, and can't be read.
func (tr *tree) wantGone(path, why string) {
	tr.t.Helper()
	tr.wantXattr(path, "state", "gone")
	if got := tr.xattr(path, "reason"); !strings.Contains(got, why) {
		tr.t.Errorf("reason for %s is %q; want %q in it", path, got, why)
	}
	err := tr.failure(path, fs.ErrNotExist)
	if _, hint := materialize.ClassOf(err); hint == "" {
		tr.t.Errorf("read %s: %v has no hint", path, err)
	}
}

func TestRecordedButGone(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, image{kind: "qemu", data: random(1, 1000), absent: true}, image{kind: "metal", data: random(2, 1000)})
	tr := open(t, w.Store)
	tr.sync()
	tr.wantNames("1.0/x86_64", "commitmeta.json", "meta.json", image{kind: "metal"}.name("1.0", x86))
	tr.wantGone("1.0/x86_64/qemu.qcow2", "no such object")
	tr.wantGone("1.0/x86_64/"+qemuFile("1.0", x86), "no such object")
	p, err := tr.Plan(t.Context(), "1.0/x86_64/qemu")
	if err != nil || p.State != materialize.StateGone || !strings.Contains(p.Reason, "no such object") {
		t.Errorf("Plan = %+v, %v; want gone, and why", p, err)
	}
	if jobs := tr.Library().Jobs(); len(jobs) != 0 {
		t.Errorf("jobs %+v were started", jobs)
	}
}

// cleaned lists a build as cosa's garbage collection leaves it.
const cleaned = `{"schema-version": "1.0.0", "builds": [{"id": "1.0", "arches": ["x86_64"],
	"policy-cleanup": {"cloud-uploads": true, "images-kept": ["qemu"]}}]}`

func TestGarbageCollected(t *testing.T) {
	for _, c := range []struct {
		name string
		wrap func(backend.Store) backend.Store
	}{
		{"a store that lists", func(s backend.Store) backend.Store { return s }},
		{"a store that can't list", func(s backend.Store) backend.Store { return noList{s} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.files("1.0", x86, qemu(random(1, 1000)), image{kind: "metal", data: random(2, 1000), absent: true})
			w.put("builds.json", []byte(cleaned))
			store, counts := backendtest.Counting(c.wrap(w.Store))
			tr := open(t, store)
			tr.sync()
			asked := calls(counts)
			tr.wantGone("1.0/x86_64/metal.raw", "garbage collection")
			if calls(counts) != asked {
				t.Error("the store was asked for what its list says is deleted")
			}
			tr.want("1.0/x86_64/qemu.qcow2", random(1, 1000))
			for _, name := range tr.names("1.0/x86_64") {
				if strings.Contains(name, "metal") {
					t.Errorf("%s is listed", name)
				}
			}
		})
	}
}

func TestTombstone(t *testing.T) {
	w := newWorld(t)
	w.put("builds.json", []byte(`{"schema-version": "1.0.0", "builds": [], "tombstone-builds": [{"id": "1.0", "arches": ["x86_64"]}]}`))
	tr := open(t, w.Store)
	tr.sync()
	_, err := tr.Show(t.Context(), "1.0", "")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "garbage collection") {
		t.Errorf("Show: %v; want that the build was deleted", err)
	}
}

// A store that can't list proves absence when it is asked for the object.
func TestAbsenceProvenAtOpen(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, image{kind: "qemu", data: random(1, 1000), absent: true})
	tr := open(t, noList{w.Store})
	tr.sync()
	tr.wantXattr("1.0/x86_64/qemu.qcow2", "state", "remote")
	err := tr.failure("1.0/x86_64/qemu.qcow2", fs.ErrNotExist)
	if !strings.Contains(err.Error(), "no such object") {
		t.Errorf("error is %q; want why", err)
	}
	w.put("1.0/x86_64/"+qemuFile("1.0", x86), random(1, 1000))
	tr.want("1.0/x86_64/qemu.qcow2", random(1, 1000)) // uploaded since
}

// Refusals and silence are never taken for absence.
func TestOnlyProvenAbsence(t *testing.T) {
	for name, cause := range map[string]error{"403": fs.ErrPermission, "timeout": context.DeadlineExceeded, "503": errors.New("slow down")} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.build("1.0", x86, qemu(random(1, 1000)))
			tr := open(t, w.Store)
			tr.sync()
			cfg := tr.cfg
			tr.close()
			cfg.Sources[0].Store = backendtest.Faulty(w.Store,
				backendtest.Fault{Op: backendtest.Stat, Err: cause}, backendtest.Fault{Op: backendtest.Open, Err: cause},
				backendtest.Fault{Op: backendtest.List, Err: cause})
			tr = openConfig(t, cfg)
			path := "1.0/x86_64/qemu.qcow2"
			err := tr.failure(path, cause)
			if errors.Is(err, fs.ErrNotExist) {
				t.Errorf("read: %v is absence", err)
			}
			if err := tr.Sync(t.Context(), nil); !errors.Is(err, cause) {
				t.Errorf("Sync: %v; want %v", err, cause)
			}
			tr.wantNames("1.0/x86_64", "commitmeta.json", "meta.json", qemuFile("1.0", x86))
			tr.wantXattr(path, "state", "unknown")
			if why := tr.xattr(path, "reason"); !strings.Contains(why, cause.Error()) {
				t.Errorf("reason is %q; want %q in it", why, cause)
			}
			if _, err := tr.openFile(path); !errors.Is(err, cause) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("open: %v; want %v", err, cause)
			}
		})
	}
}
