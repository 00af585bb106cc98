package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// watchTime is how often status --watch looks.
const watchTime = time.Second

func (p *program) statusCommand() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "show the daemon, its mounts and its jobs",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "show what changes, until ^C"},
		},
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			if !c.Bool("watch") {
				return p.status(c.Context)
			}
			return p.watch(c.Context)
		},
	}
}

// A statusReport is what status prints as JSON: whether a daemon runs, what it
// says, or what the build directory says without one, and the configuration of
// this command.
type statusReport struct {
	Daemon bool `json:"daemon"`
	webui.Status
	Config Config `json:"config"`
}

// status prints once.
func (p *program) status(ctx context.Context) error {
	return p.service(ctx, func(s webui.Service) error {
		rep, err := p.askStatus(ctx, s)
		if err != nil {
			return err
		}
		return p.data(rep, func() { p.write(statusText(rep)) })
	})
}

func (p *program) askStatus(ctx context.Context, s webui.Service) (statusReport, error) {
	st, err := s.Status(ctx)
	rep := statusReport{Status: st, Config: p.cfg}
	_, rep.Daemon = s.(*webui.Client)
	return rep, err
}

// statusText describes the status for people, one thing a line.
func statusText(r statusReport) string {
	var b strings.Builder
	if r.Workdir != "" {
		fmt.Fprintf(&b, "Workdir: %s\nEngine:  %s\n", r.Workdir, r.Engine)
	}
	if r.Daemon {
		fmt.Fprintf(&b, "Daemon:  pid %d, version %s, since %s\n", r.PID, r.Version, r.Started.Format(time.DateTime))
	} else {
		fmt.Fprintf(&b, "Daemon:  none\n")
	}
	for _, dir := range r.Mounts {
		fmt.Fprintf(&b, "Mount:   %s\n", dir)
	}
	for _, url := range r.Serving {
		fmt.Fprintf(&b, "Serving: %s\n", rootOf(url))
	}
	for _, s := range r.Stores {
		fmt.Fprintf(&b, "Store:   %s\n", storeLine(s))
	}
	if c := r.Cache; c != nil {
		fmt.Fprintf(&b, "Cache:   %s of %s, %s pinned, %d files\n", size(c.Bytes), size(c.Quota), size(c.Pinned), c.Objects)
	}
	for _, j := range r.Jobs {
		fmt.Fprintf(&b, "Job:     %s\n", jobLine(j))
	}
	return b.String()
}

// storeLine says what is known of a store, and how asking it went.
func storeLine(s webui.StoreStatus) string {
	asked := "never answered"
	if !s.Synced.IsZero() {
		asked = "asked " + s.Synced.Local().Format(time.DateTime)
	}
	line := fmt.Sprintf("%s: %d builds, %s", s.Name, s.Builds, asked)
	if s.Problem != "" {
		line += ": " + s.Problem
	}
	return line
}

// jobLine describes a job in one line.
func jobLine(j materialize.JobInfo) string {
	line := fmt.Sprintf("%s %4s %s %s (%s), %s", bar(j.Fraction), percent(j.Fraction), j.ID, j.Target, j.Title, j.State)
	if j.Phase != "" {
		line += ": " + j.Phase
	}
	line += waiting(j, time.Now())
	if j.Error != "" {
		line += ": " + j.Error
	}
	return line
}

// waiting says who waits for a job and, if nobody does, how long it goes on.
func waiting(j materialize.JobInfo, now time.Time) string {
	switch {
	case j.Waiters > 0:
		return fmt.Sprintf(", %d waiting", j.Waiters)
	case j.Until.IsZero():
		return ", nobody waits"
	}
	return fmt.Sprintf(", nobody waits: ends in %v", max(0, j.Until.Sub(now)).Round(time.Second))
}

// watch shows the status until ctx ends: on a terminal in place, else the
// lines that are news.
func (p *program) watch(ctx context.Context) error {
	tick := time.NewTicker(watchTime)
	defer tick.Stop()
	fd, tty := terminal(p.stdout)
	shown, width := "", 0
	for {
		err := p.service(ctx, func(s webui.Service) error {
			rep, err := p.askStatus(ctx, s)
			if err != nil {
				return err
			}
			text := statusText(rep)
			if w, h, err := term.GetSize(fd); tty && err == nil {
				if width != w && width != 0 { // the lines shown were broken anew
					p.write("\x1b[H\x1b[2J")
					shown = ""
				}
				width, text = w, fit(text, w, h)
			}
			p.write(redraw(shown, text, tty))
			shown = text
			return nil
		})
		if interrupted(ctx, err) {
			return nil // ^C is how a watch ends
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// fit cuts text to a terminal: what was drawn can be drawn over only if no line
// is broken and none has left the screen.
func fit(text string, width, height int) string {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if r := []rune(line); len(r) > width {
			lines[i] = string(r[:max(0, width-1)]) + "\n"
		}
	}
	if keep := height - 1; keep > 0 && len(lines)-1 > keep {
		lines = lines[:keep]
	}
	return strings.Join(lines, "")
}

// redraw gives what has to be printed where shown stands, to show text.
func redraw(shown, text string, tty bool) string {
	if lines := strings.Count(shown, "\n"); tty && lines > 0 {
		return fmt.Sprintf("\x1b[%dA\x1b[J%s", lines, text) // up, erase downwards
	}
	if tty {
		return text
	}
	var news strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(shown, line) {
			news.WriteString(line)
		}
	}
	return news.String()
}
