package webui_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// event is a server-sent event, or (name "") a comment.
type event struct{ name, id, data string }

// A source reads events as a browser's EventSource does (HTML standard, 9.2.6).
type source struct {
	lines *bufio.Reader
	id    string // of the last event
	retry string
}

func newSource(r io.Reader) *source { return &source{lines: bufio.NewReader(r)} }

// next gives the next event or comment; io.EOF at the end.
func (s *source) next() (event, error) {
	var e event
	var data []string
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return e, err // an event without its empty line is none
		}
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && data != nil:
			e.id, e.data = s.id, strings.Join(data, "\n")
			return e, nil
		case line == "":
			e = event{}
		case field == "":
			return event{data: value}, nil
		case field == "event":
			e.name = value
		case field == "data":
			data = append(data, value)
		case field == "id":
			s.id = value
		case field == "retry":
			s.retry = value
		default:
			return e, fmt.Errorf("line %q", line)
		}
	}
}

// all reads to the end.
func (s *source) all(t *testing.T) []event {
	t.Helper()
	var list []event
	for {
		e, err := s.next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
}

// named gives the names of events in order.
func named(list []event) string {
	var names []string
	for _, e := range list {
		names = append(names, e.name)
	}
	return strings.Join(names, " ")
}

// logOf puts the pieces of log together.
func logOf(t *testing.T, list []event) string {
	t.Helper()
	var b strings.Builder
	for _, e := range list {
		var piece struct {
			Text   string
			Offset *int64
		}
		if e.name != "log" {
			continue
		}
		if err := json.Unmarshal([]byte(e.data), &piece); err != nil || piece.Offset == nil {
			t.Fatalf("log event %q: %v", e.data, err)
		}
		b.WriteString(piece.Text)
	}
	return b.String()
}

// want reads the next event, which must have the name and hold the data.
func (s *source) want(t *testing.T, name, data string) event {
	t.Helper()
	e, err := s.next()
	if err != nil || e.name != name || !strings.Contains(e.data, data) {
		t.Fatalf("event %+v, %v, want %s with %s", e, err, name, data)
	}
	return e
}
