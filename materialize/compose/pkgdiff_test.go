package compose

import (
	"testing"

	"cosafs/materialize"
)

// The cases are those of rpm's own rpmvercmp test that differ in kind.
func TestCompareVersions(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"1.0", "1.0", 0}, {"1.0", "2.0", -1}, {"2.0.1", "2.0", 1}, {"2.0.1a", "2.0.1", 1},
		{"5.5p1", "5.5p2", -1}, {"5.5p10", "5.5p1", 1}, {"10xyz", "10.1xyz", -1}, {"xyz10", "xyz10.1", -1},
		{"xyz.4", "8", -1}, {"10.0001", "10.1", 0}, {"10.0001", "10.0039", -1}, {"4.999.9", "5.0", -1},
		{"20101121", "20101122", -1}, {"2_0", "2.0", 0}, {"a", "1", -1}, {"1.", "1", 0},
		{"1.0~rc1", "1.0", -1}, {"1.0~rc1", "1.0~rc2", -1}, {"1.0~rc1~git1", "1.0~rc1", -1},
		{"1.0^", "1.0", 1}, {"1.0^git1", "1.0^git2", -1}, {"1.0^git1", "1.01", -1}, {"1.0^2", "1.0.1", -1},
		{"1.0~rc1^git1", "1.0~rc1", 1}, {"1.0^git1~pre", "1.0^git1", -1}, {"", "1", -1}, {"", "~", 1},
	}
	for _, tt := range tests {
		if got := compareVersions(tt.a, tt.b); got != tt.want {
			t.Errorf("%q against %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := compareVersions(tt.b, tt.a); got != -tt.want {
			t.Errorf("%q against %q: %d, want %d", tt.b, tt.a, got, -tt.want)
		}
	}
}

func FuzzCompareVersions(f *testing.F) {
	f.Add("1.0~rc1", "1.0^git")
	f.Fuzz(func(t *testing.T, a, b string) {
		if x, y := compareVersions(a, b), compareVersions(b, a); x != -y {
			t.Fatalf("%q, %q: %d one way, %d the other", a, b, x, y)
		}
	})
}

func TestPkgDiff(t *testing.T) {
	pkg := func(name, epoch, version string) materialize.Package {
		return materialize.Package{Name: name, Epoch: epoch, Version: version, Release: "1", Arch: "x86_64"}
	}
	prev := []materialize.Package{pkg("same", "0", "1"), pkg("up", "0", "1.9"), pkg("down", "1", "1"), pkg("gone", "0", "1")}
	next := []materialize.Package{pkg("same", "0", "1"), pkg("up", "0", "1.10"), pkg("down", "0", "2"), pkg("new", "0", "1")}
	want := `[["down",3,{"NewPackage":["down","2-1","x86_64"],"PreviousPackage":["down","1:1-1","x86_64"]}],` +
		`["gone",1,{"PreviousPackage":["gone","1-1","x86_64"]}],` +
		`["new",0,{"NewPackage":["new","1-1","x86_64"]}],` +
		`["up",2,{"NewPackage":["up","1.10-1","x86_64"],"PreviousPackage":["up","1.9-1","x86_64"]}]]`
	if got := string(PkgDiff(prev, next)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(PkgDiff(next, next)); got != "[]" {
		t.Errorf("nothing changed: %s", got)
	}
}
