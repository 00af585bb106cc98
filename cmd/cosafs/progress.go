package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"cosafs/materialize"
)

// A progress shows a job's events to a person: on a terminal one line that is
// drawn again and again, else one line a phase. It is safe for concurrent use.
type progress struct {
	w     io.Writer
	quiet bool
	chat  bool // also what jobs say beside their phases
	fd    int
	tty   bool
	start time.Time
	stop  chan struct{}  // closed by done
	clock sync.WaitGroup // the goroutine that redraws

	mu    sync.Mutex        // guards the fields below and the terminal's line
	last  materialize.Event // the newest with a phase
	told  map[string]string // job -> its phase told last, where there is no terminal
	drawn bool
}

// newProgress starts to show progress on standard error, until done is called.
func (p *program) newProgress() *progress {
	g := &progress{w: p.stderr, quiet: p.cfg.Quiet, chat: p.cfg.Verbose, start: time.Now(), stop: make(chan struct{}), told: map[string]string{}}
	g.fd, g.tty = terminal(p.stderr)
	if g.tty && !g.quiet {
		g.clock.Go(g.tick)
	}
	return g
}

// tick redraws each second, so that the time goes on in a long phase.
func (g *progress) tick() {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-g.stop:
			return
		case <-t.C:
			g.mu.Lock()
			g.draw()
			g.mu.Unlock()
		}
	}
}

// tell shows an event.
func (g *progress) tell(e materialize.Event) {
	if g.quiet {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if e.Message != "" && g.chat {
		g.wipe()
		printTo(g.w, "%s\n", e.Message)
	}
	if e.Phase == "" {
		return
	}
	g.last = e
	switch {
	case g.tty:
		g.draw()
	case g.told[e.Job] != e.Phase:
		g.told[e.Job] = e.Phase
		printTo(g.w, "%8s %4s %s\n", g.elapsed(), percent(e.Fraction), e.Phase)
	}
}

// done ends the showing and leaves a clean line.
func (g *progress) done() {
	close(g.stop)
	g.clock.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wipe()
}

// wipe clears the terminal's line. The caller holds mu.
func (g *progress) wipe() {
	if g.drawn {
		printTo(g.w, "\r\x1b[K")
		g.drawn = false
	}
}

// draw writes the terminal's line. The caller holds mu.
func (g *progress) draw() {
	if g.last.Phase == "" {
		return
	}
	width, _, err := term.GetSize(g.fd)
	if err != nil || width < 20 {
		width = 80
	}
	line := fmt.Sprintf("%s %4s %s %s", bar(g.last.Fraction), percent(g.last.Fraction), g.elapsed(), g.last.Phase)
	if runes := []rune(line); len(runes) >= width {
		line = string(runes[:width-1])
	}
	printTo(g.w, "\r\x1b[K%s", line)
	g.drawn = true
}

func (g *progress) elapsed() string { return time.Since(g.start).Round(time.Second).String() }

// percent gives a fraction as people read it; a negative one is unknown.
func percent(fraction float64) string {
	if fraction < 0 {
		return "?"
	}
	return fmt.Sprintf("%.0f%%", 100*min(fraction, 1))
}

// bar draws a fraction.
func bar(fraction float64) string {
	const cells = 20
	full := int(min(max(fraction, 0), 1) * cells)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "]"
}
