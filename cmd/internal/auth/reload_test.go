package auth_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cosafs/cmd/internal/auth"
)

func TestHtpasswdIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "htpasswd")
	htpasswd(t, "-cbB", path, "alice", "old")
	f := open(t, auth.Config{Htpasswd: path})
	old, now := request{user: "alice", password: "old"}, request{user: "alice", password: "new"}
	f.want(t, old, 200, "")
	htpasswd(t, "-bB", "-C", "6", path, "alice", "new")
	f.want(t, old, 200, "") // looked at once a second
	f.clock.pass(time.Second)
	f.want(t, old, 401, "")
	f.want(t, now, 200, "")
	htpasswd(t, "-bB", path, "bob", "b")
	f.clock.pass(time.Second)
	f.want(t, request{user: "bob", password: "b"}, 200, "")
	htpasswd(t, "-D", path, "alice")
	f.clock.pass(time.Second)
	f.want(t, now, 401, "")
	put(t, path, "")
	f.clock.pass(time.Second)
	f.want(t, request{user: "bob", password: "b"}, 401, "")
	if f.Logins() {
		t.Error("an empty file lets somebody log in")
	}
}

func TestTokensAreReadAgain(t *testing.T) {
	path := file(t, tokenLine("ci", "old"))
	f := open(t, auth.Config{Tokens: path})
	f.want(t, request{bearer: "old"}, 200, "")
	next := path + ".next"
	put(t, next, tokenLine("ci", "new"))
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
	f.clock.pass(time.Second)
	f.want(t, request{bearer: "old"}, 401, "")
	f.want(t, request{bearer: "new"}, 200, "")
}

func TestBrokenFileKeepsTheFormer(t *testing.T) {
	path := file(t, line(t, "alice", "a"))
	f := open(t, auth.Config{Htpasswd: path})
	alice := request{user: "alice", password: "a"}
	for i, breakIt := range []func() error{
		func() error { put(t, path, "alice:hunter2\n"); return nil },
		func() error { return os.Remove(path) },
		func() error { return os.Mkdir(path, 0o700) },
	} {
		if err := breakIt(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			f.clock.pass(time.Second)
			f.want(t, alice, 200, "")
		}
		if got := strings.Count(f.log.String(), "level=ERROR"); got != i+1 {
			t.Errorf("%d errors in the log after %d broken files:\n%s", got, i+1, f.log)
		}
	}
	if strings.Contains(f.log.String(), "hunter2") || !strings.Contains(f.log.String(), "line 1") {
		t.Errorf("the log says too much or too little:\n%s", f.log)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	put(t, path, line(t, "alice", "b"))
	f.clock.pass(time.Second)
	f.want(t, alice, 401, "")
	f.want(t, request{user: "alice", password: "b"}, 200, "")
}

// Many log in while the file changes all the time: who stays in it always comes
// in, whoever never was in it never does.
func TestLoginsDuringReloads(t *testing.T) {
	path := file(t, line(t, "alice", "a"))
	f := open(t, auth.Config{Htpasswd: path, Tokens: file(t, tokenLine("ci", "t"))})
	const rounds = 50
	var clients, writer sync.WaitGroup
	writer.Go(func() {
		for i := range rounds {
			put(t, path+".next", line(t, "alice", "a")+line(t, fmt.Sprint("other", i), "x"))
			if err := os.Rename(path+".next", path); err != nil {
				t.Error(err)
			}
			f.clock.pass(time.Second)
		}
	})
	for i := range 4 {
		clients.Go(func() {
			for range rounds {
				f.want(t, request{user: "alice", password: "a"}, 200, "alice reader 127.0.0.1")
				f.want(t, request{bearer: "t"}, 200, "ci reader 127.0.0.1")
				if w := f.ask(t, request{user: fmt.Sprint("stranger", i), password: "a"}); w.Code != 401 && w.Code != 429 {
					t.Errorf("a stranger gets %d", w.Code)
				}
			}
		})
	}
	writer.Wait()
	clients.Wait()
}
