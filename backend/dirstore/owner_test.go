package dirstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func FuzzParseOwner(f *testing.F) {
	for _, s := range []string{
		".builds.json.lock|host|12|9223372036854775807", "a|b|host|1|cosafs0123.45", "|||", "", "x|y|-1|z", "x|y|1|cosafs",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		purpose, o, ok := parseOwner(name)
		if !ok {
			return
		}
		if o.pid <= 0 || !strings.HasPrefix(name, purpose+"|"+o.host+"|") {
			t.Errorf("%q gives %q, %+v", name, purpose, o)
		}
		if o.near(owner{host: "another", boot: "another"}) && o.host != "another" && o.boot != "another" {
			t.Errorf("%q passes for ours", name)
		}
	})
}

func TestOwnerNames(t *testing.T) {
	self, err := thisProcess()
	if err != nil {
		t.Fatal(err)
	}
	a, b := self.name(".tmp"), self.name(".tmp")
	if a == b {
		t.Error("two names are the same")
	}
	purpose, o, ok := parseOwner(a)
	if !ok || purpose != ".tmp" || o != self || !o.near(self) {
		t.Errorf("%q gives %q, %+v, %v; want .tmp, %+v", a, purpose, o, ok, self)
	}
	for name, near := range map[string]bool{
		"a container's, its host name gone": true, // same boot
		"an earlier boot's":                 true, // same host
		"another machine's":                 false,
		"cosa's":                            false,
	} {
		other := map[string]owner{
			"a container's, its host name gone": {host: "c0ffee", boot: self.boot},
			"an earlier boot's":                 {host: self.host, boot: "0123456789abcdef"},
			"another machine's":                 {host: "elsewhere", boot: "0123456789abcdef"},
			"cosa's":                            {host: self.host},
		}[name]
		if other.near(self) != near {
			t.Errorf("%s: near = %v; want %v", name, !near, near)
		}
	}
}

// TestBuryLeavesNewerLock: two processes find a dead lock; one breaks it and takes
// the lock before the other goes on.
func TestBuryLeavesNewerLock(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	claim := ".x.lock|" + s.self.host + "|1|cosafs0123456789abcdef.1"
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, claim), []byte(claim), 0o644),
		os.Link(filepath.Join(dir, claim), filepath.Join(dir, ".x.lock")),
	)
	if err != nil {
		t.Fatal(err)
	}
	slow, err := s.root.Open(".x.lock")
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := s.lock(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.bury(slow, ".x.lock", claim), slow.Close()); err != nil {
		t.Errorf("bury: %v", err)
	}
	if err := unlock(); err != nil {
		t.Errorf("the newer lock was broken: %v", err)
	}
}
