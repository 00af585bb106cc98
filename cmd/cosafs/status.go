package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

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
			&cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "show it again each second, until ^C"},
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
		st, err := s.Status(ctx)
		if err != nil {
			return err
		}
		rep := statusReport{Status: st, Config: p.cfg}
		rep.Jobs = append([]materialize.JobInfo{}, st.Jobs...) // [] in JSON, not null
		_, rep.Daemon = s.(*webui.Client)
		return p.data(rep, func() { p.printStatus(rep) })
	})
}

func (p *program) printStatus(r statusReport) {
	p.say("Workdir: %s", r.Workdir)
	p.say("Engine:  %s", r.Engine)
	if r.Daemon {
		p.say("Daemon:  pid %d, version %s, since %s", r.PID, r.Version, r.Started.Format(time.DateTime))
	} else {
		p.say("Daemon:  none")
	}
	for _, dir := range r.Mounts {
		p.say("Mount:   %s", dir)
	}
	for _, j := range r.Jobs {
		p.say("Job:     %s", jobLine(j))
	}
}

// jobLine describes a job in one line.
func jobLine(j materialize.JobInfo) string {
	line := fmt.Sprintf("%s %s %s (%s) %s", j.ID, j.State, j.Target, j.Title, percent(j.Fraction))
	if j.Phase != "" {
		line += " " + j.Phase
	}
	if j.Waiters > 0 {
		line += fmt.Sprintf(", %d waiting", j.Waiters)
	}
	if j.Error != "" {
		line += ": " + j.Error
	}
	return line
}

// watch prints again and again until ctx ends, on a terminal in place.
func (p *program) watch(ctx context.Context) error {
	tick := time.NewTicker(watchTime)
	defer tick.Stop()
	_, tty := terminal(p.stdout)
	for {
		if tty {
			fmt.Fprint(p.stdout, "\x1b[H\x1b[2J") // home, clear
		}
		if err := p.status(ctx); err != nil {
			if interrupted(ctx, err) {
				return nil
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil // ^C is how a watch ends
		case <-tick.C:
		}
	}
}
