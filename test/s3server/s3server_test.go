package s3server_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"cosafs/test/need"
	"cosafs/test/s3server"
)

// The server is there, lets nobody in without the secret, and comes back with
// what it held.
func TestServer(t *testing.T) {
	s := s3server.Start(t)
	path := s.Object(s3server.Public, "a/b.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if code, body := get(t, s.Endpoint+"/public/a/b.json"); code != http.StatusOK || body != "{}" {
			t.Errorf("public object: %d %q", code, body)
		}
		if code, _ := get(t, s.Endpoint+"/private/a/b.json"); code != http.StatusForbidden {
			t.Errorf("private object without an account: %d", code)
		}
		s.Restart(t)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// The second implementation shows what is in its directory, to those who know
// the secret.
func TestSecondServer(t *testing.T) {
	s := s3server.StartSecond(t)
	for _, want := range []string{"old", "new"} { // replaced past the server
		if err := os.WriteFile(s.Object(s3server.Private, "a.json"), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		if code, _ := get(t, s.Endpoint+"/private/a.json"); code != http.StatusForbidden {
			t.Errorf("without an account: %d", code)
		}
		if got := awsCat(t, s, "s3://private/a.json"); got != want {
			t.Errorf("with the account: %q; want %q", got, want)
		}
	}
}

// A file that was adopted has the ETag of an object that was sent.
func TestAdopt(t *testing.T) {
	s := s3server.Start(t)
	path := s.Object(s3server.Public, "file")
	if err := os.WriteFile(path, []byte("hello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s3server.Adopt(path); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, s.Endpoint+"/public/file", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	if got := res.Header.Get("ETag"); got != `"b1946ac92492d2347c6235b4d2611184"` {
		t.Errorf("ETag %s; want the MD5 sum in quotes", got)
	}
}

// awsCat reads an object with the AWS command line.
func awsCat(t *testing.T, s *s3server.Server, url string) string {
	t.Helper()
	need.Tool(t, "aws")
	cmd := exec.CommandContext(t.Context(), "aws", "s3", "cp", url, "-")
	cmd.Env = append(os.Environ(), s.Env()...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("aws s3 cp %s: %v", url, err)
	}
	return string(out)
}
