package main

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/urfave/cli/v2"

	"cosafs/vfs/webui"
)

func (p *program) logsCommand() *cli.Command {
	return &cli.Command{
		Name:      "logs",
		Usage:     "print a job's log",
		ArgsUsage: "[JOB]",
		Description: "Without JOB, the newest one's. cosafs status shows the jobs that run,\n" +
			".cosafs/jobs in a mount those that ended, too.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "go on until the job ends"},
		},
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 1); err != nil {
				return err
			}
			return p.service(c.Context, func(s webui.Service) error {
				job, err := jobOrNewest(c.Context, s, c.Args().First())
				if err != nil {
					return err
				}
				if err := s.Log(c.Context, job, c.Bool("follow"), p.stdout); err != nil {
					return hintf(fmt.Errorf("logs %s: %w", job, err), "cosafs logs without a name prints the newest job's")
				}
				return nil
			})
		},
	}
}

// jobOrNewest gives the job named, or the newest.
func jobOrNewest(ctx context.Context, s webui.Service, job string) (string, error) {
	if job != "" {
		return job, nil
	}
	jobs, err := s.Jobs(ctx)
	if err != nil {
		return "", err
	}
	if len(jobs) == 0 {
		return "", hintf(fmt.Errorf("logs: no job yet: %w", fs.ErrNotExist), "cosafs build starts one")
	}
	return jobs[0].ID, nil
}

func (p *program) cancelCommand() *cli.Command {
	return &cli.Command{
		Name:      "cancel",
		Usage:     "end jobs, for everybody who waits for them",
		ArgsUsage: "JOB...",
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, -1); err != nil {
				return err
			}
			return p.service(c.Context, func(s webui.Service) error {
				return p.each(c.Context, c.Args().Slice(), func(job string) error {
					if err := s.Cancel(c.Context, job); err != nil {
						return hintf(fmt.Errorf("cancel %s: %w", job, err), "cosafs status shows the jobs that run")
					}
					return nil
				})
			})
		},
	}
}

func (p *program) retryCommand() *cli.Command {
	return &cli.Command{
		Name:        "retry",
		Usage:       "forget a failure, so that the next open tries again",
		ArgsUsage:   "JOB|PATH...",
		Description: "A failed job answers further opens of the same inputs with the same reason for a while.",
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, -1); err != nil {
				return err
			}
			return p.service(c.Context, func(s webui.Service) error {
				return p.each(c.Context, c.Args().Slice(), func(arg string) error {
					return p.retry(c.Context, s, arg)
				})
			})
		},
	}
}

// retry forgets what a job id, or a path in any spelling, remembers.
func (p *program) retry(ctx context.Context, s webui.Service, arg string) error {
	what, err := p.treePath(ctx, s, arg)
	if err != nil {
		return err
	}
	if err := s.Retry(ctx, what); err != nil {
		return hintf(fmt.Errorf("retry %s: %w", arg, err), "name a job of .cosafs/jobs, or a path such as next/%s/qemu.qcow2", p.arch())
	}
	return nil
}
