package stream

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// seen remembers what stores said of single objects that no list describes: the
// version and size of a file that somebody opened. The cache knows objects by
// their version, so that what was read is found again without the store.
//
// It is a file of lines that grows by one whenever something is learnt. Losing
// it costs one request for each file.
type seen struct {
	mu    sync.Mutex // guards what follows; held while a line is written
	known map[string]sighting
	file  *os.File
}

// A sighting is what a store said of an object; with Gone it said that there is
// no such object any more, or another version.
type sighting struct {
	Store   string    `json:"store"`
	Key     string    `json:"key"`
	Size    int64     `json:"size"`
	ModTime time.Time `json:"mtime"`
	Version string    `json:"version"`
	Gone    bool      `json:"gone,omitempty"`
}

func (s sighting) id() string { return s.Store + "\n" + s.Key }

// openSeen reads the file, and writes it anew if most of its lines are outdated.
func openSeen(path string) (*seen, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	known, lines := parseSeen(data)
	if lines > 2*len(known) {
		if err := rewriteSeen(path, known); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	return &seen{known: known, file: f}, nil
}

// parseSeen reads lines, the last of which may be cut short by a crash. What
// can't be read is forgotten.
func parseSeen(data []byte) (known map[string]sighting, lines int) {
	known = map[string]sighting{}
	for line := range bytes.Lines(data) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		lines++
		var s sighting
		if json.Unmarshal(line, &s) != nil || s.Key == "" || s.Size < 0 {
			continue
		}
		if s.Gone {
			delete(known, s.id())
			continue
		}
		known[s.id()] = s
	}
	return known, lines
}

func rewriteSeen(path string, known map[string]sighting) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".seen-*")
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	for _, s := range known {
		err = errors.Join(err, enc.Encode(s))
	}
	if err = errors.Join(err, w.Flush(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}

// get gives what is known of an object.
func (s *seen) get(store, key string) (sighting, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.known[store+"\n"+key]
	return known, ok
}

// put remembers what a store said.
func (s *seen) put(now sighting) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, ok := s.known[now.id()]; ok == !now.Gone && was == now {
		return nil
	}
	if s.known[now.id()] = now; now.Gone {
		delete(s.known, now.id())
	}
	line, err := json.Marshal(now)
	if err != nil {
		return err
	}
	// A line that was cut short by a crash must not swallow this one.
	_, err = s.file.Write(append(append([]byte("\n"), line...), '\n'))
	return err
}

// forget drops what is known of an object.
func (s *seen) forget(store, key string) error {
	if _, ok := s.get(store, key); !ok {
		return nil
	}
	return s.put(sighting{Store: store, Key: key, Gone: true})
}

// Close closes the file.
func (s *seen) Close() error { return s.file.Close() }
