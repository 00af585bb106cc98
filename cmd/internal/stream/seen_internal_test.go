package stream

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func openSeenAt(t *testing.T, path string) *seen {
	t.Helper()
	s, err := openSeen(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *seen, now sighting) {
	t.Helper()
	if err := s.put(now); err != nil {
		t.Fatal(err)
	}
}

// What was learnt survives a crash at any byte, but for what was being written.
func TestSeenSurvivesCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seen.jsonl")
	s := openSeenAt(t, path)
	put(t, s, sighting{Store: "s", Key: "a", Size: 1, Version: "v1"})
	put(t, s, sighting{Store: "s", Key: "b", Size: 2, Version: "v2", ModTime: time.Unix(7, 0).UTC()})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := os.WriteFile(path, whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		s := openSeenAt(t, path)
		if _, ok := s.get("s", "b"); ok && n < len(whole)-1 {
			t.Errorf("cut at %d: the last line is known", n)
		}
		put(t, s, sighting{Store: "s", Key: "c", Size: 3, Version: "v3"})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openSeenAt(t, path)
		if c, ok := s.get("s", "c"); !ok || c.Size != 3 {
			t.Errorf("cut at %d: what was learnt afterwards is %+v, %v", n, c, ok)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A file that grows by changes is written anew.
func TestSeenIsCompacted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seen.jsonl")
	s := openSeenAt(t, path)
	for i := range int64(100) {
		put(t, s, sighting{Store: "s", Key: "a", Size: i, Version: "v"})
	}
	if err := s.forget("s", "nothing"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSeenAt(t, path)
	if a, ok := s.get("s", "a"); !ok || a.Size != 99 {
		t.Errorf("known is %+v, %v; want what was learnt last", a, ok)
	}
	if data, err := os.ReadFile(path); err != nil || bytes.Count(data, []byte("\n")) != 1 {
		t.Errorf("the file is %q, %v; want one line", data, err)
	}
	if err := s.forget("s", "a"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSeenAt(t, path)
	if a, ok := s.get("s", "a"); ok {
		t.Errorf("%+v was not forgotten", a)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func FuzzParseSeen(f *testing.F) {
	f.Add([]byte(`{"store":"s","key":"a","size":1,"version":"v"}` + "\n"))
	f.Add([]byte(`{"store":"s","key":"a","gone":true}` + "\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		known, lines := parseSeen(data)
		if len(known) > lines {
			t.Errorf("%d facts from %d lines", len(known), lines)
		}
		for id, s := range known {
			if s.id() != id || s.Size < 0 || s.Gone {
				t.Errorf("fact %q is %+v", id, s)
			}
		}
	})
}
