package daemon

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLogRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daemon.log")
	l, err := OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	l.max = 10
	for _, line := range []string{"first\n", "second\n", "third\n"} {
		if _, err := l.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{path: "third\n", path + ".1": "second\n"} {
		got, err := os.ReadFile(name)
		if err != nil || string(got) != want {
			t.Errorf("%s = %q, %v, want %q", filepath.Base(name), got, err, want)
		}
	}
	if got := tail(path, 3); got != "rd\n" {
		t.Errorf("tail = %q", got)
	}
}
