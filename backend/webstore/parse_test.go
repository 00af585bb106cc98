package webstore

import (
	"testing"
)

func TestNetrc(t *testing.T) {
	const text = `# machine h login no password no
machine other login o password p
macdef init
	machine h login macro password macro

machine h
	login joe # his name
	password s3cret
default login anybody password x`
	for host, want := range map[string]login{
		"h": {name: "joe", password: "s3cret"}, "other": {name: "o", password: "p"}, "third": {name: "anybody", password: "x"},
	} {
		if got := netrc(text, host); got != want {
			t.Errorf("%s: %+v; want %+v", host, got, want)
		}
	}
	if got := netrc("machine h login", "h"); got != (login{}) {
		t.Errorf("cut short: %+v", got)
	}
}

// Nobody gets a login that is for another host.
func FuzzNetrc(f *testing.F) {
	f.Add("machine h login a password b", "h")
	f.Add("macdef x\nmachine h\n\ndefault login a", "other")
	f.Fuzz(func(t *testing.T, text, host string) {
		if l := netrc("machine h login mine password mine\n"+text, "h"); l != (login{name: "mine", password: "mine"}) {
			// What follows on the first machine's own lines may still be of it.
			words := netrcWords(text)
			if len(words) == 0 || words[0] == "machine" || words[0] == "default" {
				t.Errorf("another machine's words count: %+v", l)
			}
		}
		_ = netrc(text, host)
	})
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-0/1", "bytes 5-9/10", "bytes */10", "bytes 9-5/10", "bytes 0-9/*", "bytes -1-2/3", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, last, size, err := parseContentRange(s)
		if err == nil && (first < 0 || size < 0 || last < first-1 || last >= max(size, 1)) {
			t.Errorf("%q: %d-%d/%d", s, first, last, size)
		}
	})
}
