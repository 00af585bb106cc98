package remote

import (
	"fmt"
	"testing"
	"time"

	"cosafs/vfs/access"
)

// However many clients come, no more than so many are remembered; who is idle is
// forgotten first, because that changes nothing for him.
func TestRatesAreBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := newRates(1)
	l.now = func() time.Time { return now }
	for i := range clientsMost {
		l.take(fmt.Sprint("idle ", i))
	}
	now = now.Add(time.Hour)
	for range burstLeast {
		if l.take("busy") != 0 {
			t.Fatal("the burst is shorter than promised")
		}
	}
	for i := range clientsMost / 2 {
		l.take(fmt.Sprint("new ", i))
	}
	if got := l.take("busy"); got != 1 {
		t.Errorf("the busy one may go on after %d seconds, want 1", got)
	}
	for i := range 2 * clientsMost {
		for range 2 {
			l.take(fmt.Sprint("flood ", i))
		}
		if len(l.clients) > clientsMost {
			t.Fatalf("%d clients are remembered", len(l.clients))
		}
	}
	now = now.Add(time.Second)
	if l.take("busy") != 0 {
		t.Error("a second later a request is free")
	}
}

func TestClientsAreToldApart(t *testing.T) {
	for _, test := range []struct {
		a, b access.Caller
		same bool
	}{
		{access.Caller{Name: "ann", Addr: "10.0.0.1"}, access.Caller{Name: "ann", Addr: "10.0.0.2"}, true},
		{access.Caller{Name: "ann", Addr: "10.0.0.1"}, access.Caller{Addr: "10.0.0.1"}, false},
		{access.Caller{Addr: "10.0.0.1"}, access.Caller{Addr: "10.0.0.2"}, false},
		{access.Caller{Name: "10.0.0.1"}, access.Caller{Addr: "10.0.0.1"}, false},
		{access.Caller{Addr: "2001:db8:0:1::1"}, access.Caller{Addr: "2001:db8:0:1:ffff::2"}, true},
		{access.Caller{Addr: "2001:db8:0:1::1"}, access.Caller{Addr: "2001:db8:0:2::1"}, false},
		{access.Caller{Addr: "unix"}, access.Caller{Addr: "unix"}, true},
	} {
		if got := keyOf(test.a) == keyOf(test.b); got != test.same {
			t.Errorf("%+v and %+v: %v", test.a, test.b, got)
		}
	}
}
