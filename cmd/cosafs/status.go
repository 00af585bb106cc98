package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// A report is what status prints as JSON: whether a daemon runs, what it says,
// and the configuration of this command.
type statusReport struct {
	Daemon bool `json:"daemon"`
	webui.Status
	Config Config `json:"config"`
}

// status prints once.
func (p *program) status(ctx context.Context) error {
	if err := p.checkWorkdir(); err != nil {
		return err
	}
	rep := statusReport{Config: p.cfg, Status: webui.Status{Workdir: p.cfg.Workdir, Version: version(), Engine: p.cfg.Engine}}
	c, st, err := p.runtime().Dial(ctx, p.cfg.Workdir)
	switch {
	case err == nil:
		c.Close()
		rep.Daemon, rep.Status = true, st
	case !errors.Is(err, webui.ErrNoDaemon):
		return err
	}
	return p.data(rep, func() { p.printStatus(rep) })
}

func (p *program) printStatus(r statusReport) {
	p.say("Workdir: %s", r.Workdir)
	if !r.Daemon {
		p.say("Daemon:  none")
		return
	}
	p.say("Daemon:  pid %d, version %s, since %s", r.PID, r.Version, r.Started.Format(time.DateTime))
	p.say("Engine:  %s", r.Engine)
	p.say("Mounts:  %s", strings.Join(r.Mounts, " "))
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
