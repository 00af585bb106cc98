package webui

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"cosafs/materialize"
)

// Every sentinel keeps its identity, and has the status written here.
func TestSentinelTable(t *testing.T) {
	want := map[string]int{
		"running": 409, "stale": 409, "not-makeable": 422, "corrupt": 502, "abandoned": 409, "cancelled": 409,
		"not-exist": 404, "exist": 409, "permission": 403, "invalid": 400, "closed": 503,
		"no-call": 404, "no-method": 405, "too-large": 413, "form": 415,
		"unsupported": 501, "context-canceled": 499, "deadline": 504,
	}
	if len(want) != len(sentinels()) {
		t.Errorf("%d sentinels, %d tested", len(sentinels()), len(want))
	}
	for _, s := range sentinels() {
		wire, status := encodeError(fmt.Errorf("doing it: %w", s.err))
		if status != want[s.name] {
			t.Errorf("%s: status %d, want %d", s.name, status, want[s.name])
		}
		err := wire.decode()
		if !errors.Is(err, s.err) || err.Error() != "doing it: "+s.err.Error() {
			t.Errorf("%s: came back as %v", s.name, err)
		}
		for _, other := range sentinels() {
			if other.name != s.name && errors.Is(err, other.err) {
				t.Errorf("%s: came back as %s, too", s.name, other.name)
			}
		}
	}
}

func TestUnknownErrorIsInternal(t *testing.T) {
	wire, status := encodeError(errors.New("odd"))
	if status != http.StatusInternalServerError {
		t.Errorf("status %d", status)
	}
	if class, _ := materialize.ClassOf(wire.decode()); class != materialize.ClassInternal {
		t.Errorf("class %q", class)
	}
}

func TestCutStreamIsAnError(t *testing.T) {
	var v struct{}
	err := readStream(strings.NewReader(`{"event":{"job":"j"}}`+"\n"), listener{}, &v)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("err %v, want io.ErrUnexpectedEOF", err)
	}
}

func FuzzReadStream(f *testing.F) {
	f.Add(`{"event":{"job":"j"}}` + "\n" + `{"result":{"id":"1"}}`)
	f.Add(`{"log":"aGk="}{"error":{"error":"x","is":["exist"]}}`)
	f.Fuzz(func(t *testing.T, in string) {
		var v BuildResult
		var events int
		err := readStream(strings.NewReader(in), listener{tell: func(materialize.Event) { events++ }, log: io.Discard}, &v)
		if err == nil && !strings.Contains(strings.ToLower(in), "result") {
			t.Errorf("success without a result, after %d events", events)
		}
		if err != nil {
			if _, jsonErr := json.Marshal(err.Error()); jsonErr != nil {
				t.Error(jsonErr)
			}
		}
	})
}
