package guest

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"testing"

	"cosafs/materialize/appliance"
)

func TestLinesBecomeEvents(t *testing.T) {
	var sent bytes.Buffer
	w := &lineWriter{tell: &teller{out: json.NewEncoder(&sent)}}
	for _, text := range []string{"one\ntw", "o\n\n", "10%\r50%\r100%\n", "end"} {
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for in := json.NewDecoder(&sent); in.More(); {
		var e appliance.Event
		if err := in.Decode(&e); err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Log)
	}
	if want := []string{"one", "two", "100%", "end"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if w.last != "end" {
		t.Errorf("last line is %q", w.last)
	}
}
