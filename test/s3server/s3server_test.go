package s3server_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

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
