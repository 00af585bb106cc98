package access_test

import (
	"errors"
	"io/fs"
	"testing"

	"cosafs/vfs/access"
)

func TestRolesHaveNames(t *testing.T) {
	for _, r := range []access.Role{access.Nobody, access.Reader, access.Builder, access.Admin} {
		if got, err := access.ParseRole(r.String()); got != r || err != nil {
			t.Errorf("ParseRole(%s) = %v, %v", r, got, err)
		}
	}
	if _, err := access.ParseRole("root"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("ParseRole(root): %v, want fs.ErrInvalid", err)
	}
}

func TestCallerOfContext(t *testing.T) {
	if c := access.Of(t.Context()); c.Role != access.Nobody {
		t.Errorf("a ctx without a caller has role %s", c.Role)
	}
	want := access.Caller{Name: "alice", Role: access.Builder}
	if got := access.Of(access.With(t.Context(), want)); got != want {
		t.Errorf("Of = %+v, want %+v", got, want)
	}
}

func TestNetworkOfAHost(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "::ffff:192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", access.Unix: access.Unix, "": "",
	} {
		if got := access.Network(addr); got != want {
			t.Errorf("Network(%s) = %s, want %s", addr, got, want)
		}
	}
}
