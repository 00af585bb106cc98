package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

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

// A line that the terminal breaks in two can't be drawn over.
func TestStatusFitsTerminal(t *testing.T) {
	for _, c := range []struct {
		text          string
		width, height int
		want          string
	}{
		{"short\nlines\n", 80, 24, "short\nlines\n"},
		{"a line that is too long\nfine\n", 10, 24, "a line th\nfine\n"},
		{"größe: viel\n", 6, 24, "größe\n"},
		{"1\n2\n3\n4\n", 80, 3, "1\n2\n"},
	} {
		if got := fit(c.text, c.width, c.height); got != c.want {
			t.Errorf("%q in %dx%d is %q, want %q", c.text, c.width, c.height, got, c.want)
		}
	}
}

func TestStatusSaysHowLongAJobLingers(t *testing.T) {
	now := time.Now()
	for want, j := range map[string]materialize.JobInfo{
		", 2 waiting":                {Waiters: 2, Until: now.Add(time.Second)},
		", nobody waits: ends in 7s": {Until: now.Add(7 * time.Second)},
		", nobody waits: ends in 0s": {Until: now.Add(-time.Second)},
		", nobody waits":             {},
	} {
		if got := waiting(j, now); got != want {
			t.Errorf("%+v: %q, want %q", j, got, want)
		}
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
