package auth_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"cosafs/cmd/internal/auth"
)

func TestVerifiedOnce(t *testing.T) {
	path := file(t, line(t, "alice", "a"))
	f := open(t, auth.Config{Htpasswd: path})
	count := func(what string, want int64) {
		t.Helper()
		if got := f.bcrypts.Swap(0); got != want {
			t.Errorf("%s: %d comparisons, want %d", what, got, want)
		}
	}
	alice := request{user: "alice", password: "a"}
	for range 3 {
		f.want(t, alice, 200, "")
	}
	count("three requests", 1)
	for range 3 {
		f.want(t, request{user: "alice", password: "b"}, 401, "")
	}
	count("wrong ones are not remembered", 3)
	for range 2 {
		f.clock.pass(auth.RememberFor)
		f.want(t, alice, 200, "")
	}
	count("five minutes after the last use", 0)
	f.clock.pass(auth.RememberFor + time.Nanosecond)
	f.want(t, alice, 200, "")
	count("after five minutes", 1)
	put(t, path, line(t, "alice", "a"))
	f.clock.pass(time.Second)
	f.want(t, alice, 200, "")
	count("with another hash", 1)
	put(t, path, hashed(t, path)+line(t, "bob", "b"))
	f.clock.pass(time.Second)
	f.want(t, alice, 200, "")
	count("with another name in the file", 0)
	put(t, path, line(t, "bob", "b"))
	f.clock.pass(time.Second)
	f.want(t, alice, 401, "")
	count("without the name", 1)
}

// hashed is what the file says now.
func hashed(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The memory has an end, and the last ones find room in it.
func TestMemoryIsBounded(t *testing.T) {
	f := open(t, auth.Config{Htpasswd: file(t, line(t, "alice", "a"))})
	f.SetCompare(func(_, _ []byte) error {
		f.bcrypts.Add(1)
		return nil // every password is right
	})
	for i := range auth.RememberMost + 10 {
		q := request{user: "alice", password: strconv.Itoa(i)}
		f.want(t, q, 200, "")
		f.want(t, q, 200, "")
	}
	if got := f.bcrypts.Swap(0); got != auth.RememberMost+10 {
		t.Errorf("%d comparisons", got)
	}
	for i := range auth.RememberMost + 10 {
		f.want(t, request{user: "alice", password: strconv.Itoa(i)}, 200, "")
	}
	if got := f.bcrypts.Load(); got < 10 || got > 100 {
		t.Errorf("%d of %d were forgotten, and there was no room for 10", got, auth.RememberMost+10)
	}
}

// Counted, not measured: for a name that isn't there the same work is done as
// for one that is, whatever hashes cost.
func TestUnknownNameCostsTheSame(t *testing.T) {
	f := open(t, auth.Config{Htpasswd: file(t, lineOf(t, "cheap", "a", 4)+lineOf(t, "dear", "b", 6))})
	costs := map[string]map[string]int{} // name -> hash -> times
	name := ""
	f.SetCompare(func(hash, _ []byte) error {
		if costs[name] == nil {
			costs[name] = map[string]int{}
		}
		costs[name][string(hash[:7])]++
		return nil // even one that is right for somebody else does not let in
	})
	for i := range 40 {
		name = fmt.Sprint("unknown", i)
		for range 3 {
			f.want(t, request{user: name, password: "a"}, 401, "")
			f.clock.pass(auth.FailureEvery)
		}
	}
	seen := map[string]int{}
	for name, got := range costs {
		if len(got) != 1 {
			t.Errorf("%s costs %v: a name has one cost", name, got)
		}
		for cost, times := range got {
			seen[cost]++
			if times != 3 {
				t.Errorf("%s: %d comparisons for 3 requests", name, times)
			}
		}
	}
	if len(costs) != 40 || len(seen) != 2 {
		t.Errorf("%d names, costs %v: unknown names have the costs of known ones", len(costs), seen)
	}
}

func TestBackoffByAddress(t *testing.T) {
	f := open(t, auth.Config{Htpasswd: file(t, line(t, "alice", "a")+line(t, "bob", "b")), Tokens: file(t, tokenLine("ci", "t")), AllowPlain: true})
	f.want(t, request{from: "192.0.2.1:1", user: "alice", password: "a"}, 200, "")
	for i := range auth.FreeFailures {
		f.want(t, request{from: "192.0.2.1:1", user: fmt.Sprint("guess", i), password: "x"}, 401, "")
	}
	f.bcrypts.Store(0)
	w := f.want(t, request{from: "192.0.2.1:2", user: "bob", password: "b"}, 429, "")
	if got := w.Header().Get("Retry-After"); got != "3" {
		t.Errorf("Retry-After %q", got)
	}
	f.want(t, request{from: "192.0.2.1:2", bearer: "guess"}, 429, "")
	if f.bcrypts.Load() != 0 {
		t.Error("a refused login was looked at")
	}
	// Those who are in, tokens, and other addresses go on.
	f.want(t, request{from: "192.0.2.1:2", user: "alice", password: "a"}, 200, "")
	f.want(t, request{from: "192.0.2.1:2", bearer: "t"}, 200, "")
	f.want(t, request{from: "192.0.2.1:2", user: "ci", password: "t"}, 200, "")
	f.want(t, request{from: "192.0.2.2:2", user: "bob", password: "wrong"}, 401, "")
	f.clock.pass(auth.FailureEvery)
	f.want(t, request{from: "192.0.2.1:2", user: "bob", password: "wrong"}, 401, "")
	f.want(t, request{from: "192.0.2.1:2", user: "bob", password: "b"}, 429, "")
	f.clock.pass(auth.FailureEvery)
	f.want(t, request{from: "192.0.2.1:2", user: "bob", password: "b"}, 200, "")
}

// A host has as many IPv6 addresses as it likes, in one /64.
func TestBackoffByNetwork(t *testing.T) {
	f := open(t, auth.Config{Tokens: file(t, tokenLine("ci", "t")), AllowPlain: true})
	for i := range auth.FreeFailures {
		f.want(t, request{from: fmt.Sprintf("[2001:db8::%x]:1", i), bearer: "guess"}, 401, "")
	}
	f.want(t, request{from: "[2001:db8::ffff]:1", bearer: "guess"}, 429, "")
	f.want(t, request{from: "[2001:db8:0:1::1]:1", bearer: "guess"}, 401, "")
}

func TestBackoffByName(t *testing.T) {
	f := open(t, auth.Config{Htpasswd: file(t, line(t, "alice", "a")+line(t, "bob", "b")), AllowPlain: true})
	for i := range auth.FreeFailures {
		f.want(t, request{from: fmt.Sprintf("192.0.2.%d:1", i), user: "alice", password: "x"}, 401, "")
	}
	f.want(t, request{from: "192.0.2.200:1", user: "alice", password: "x"}, 429, "")
	f.want(t, request{from: "192.0.2.200:1", user: "bob", password: "b"}, 200, "")
	f.clock.pass(2 * auth.FailureEvery)
	f.want(t, request{from: "192.0.2.200:1", user: "alice", password: "a"}, 200, "")
}

// Behind a proxy on this machine everybody has one address.
func TestNoBackoffByLocalAddress(t *testing.T) {
	f := open(t, auth.Config{Htpasswd: file(t, line(t, "alice", "a")), Tokens: file(t, "")})
	for i := range 3 * auth.FreeFailures {
		f.want(t, request{user: fmt.Sprint("guess", i), password: "x"}, 401, "")
		f.want(t, request{bearer: "guess"}, 401, "")
	}
	f.want(t, request{user: "alice", password: "a"}, 200, "")
}
