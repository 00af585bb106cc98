package main

import (
	"bytes"
	"strings"
	"testing"

	"cosafs/materialize"
)

// Without a terminal there is one line a phase and job, and no escape codes.
func TestProgressWithoutTerminal(t *testing.T) {
	var out bytes.Buffer
	p := newProgram(nil, &out, &out, nil)
	g := p.newProgress()
	for _, e := range []materialize.Event{
		{Job: "a", Phase: "compose", Fraction: 0},
		{Job: "a", Phase: "compose", Fraction: 0.5},
		{Job: "b", Phase: "disk", Fraction: -1},
		{Job: "a", Phase: "compose", Fraction: 0.6},
		{Job: "a", Message: "chatter"},
		{Job: "a", Phase: "commit", Fraction: 0.7},
	} {
		g.tell(e)
	}
	g.done()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[0], "0% compose") || !strings.HasSuffix(lines[1], "? disk") || !strings.HasSuffix(lines[2], "70% commit") {
		t.Errorf("printed %q", lines)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("escape codes in %q", out.String())
	}
}

func TestProgressQuiet(t *testing.T) {
	var out bytes.Buffer
	p := newProgram(nil, &out, &out, nil)
	p.cfg.Quiet = true
	g := p.newProgress()
	g.tell(materialize.Event{Job: "a", Phase: "compose"})
	g.done()
	if out.Len() > 0 {
		t.Errorf("-q printed %q", out.String())
	}
}

func TestProgressBar(t *testing.T) {
	for fraction, want := range map[float64]string{
		-1:  "[....................] ?",
		0.5: "[##########..........] 50%",
		1:   "[####################] 100%",
		7:   "[####################] 100%",
	} {
		if got := bar(fraction) + " " + percent(fraction); got != want {
			t.Errorf("%v: %q, want %q", fraction, got, want)
		}
	}
}
