package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

func (p *program) planCommand() *cli.Command {
	return p.planning("plan", "say what opening a file would do", p.printPlan)
}

func (p *program) whyCommand() *cli.Command {
	return p.planning("why", "say why a file has to be made, or hasn't", p.printWhy)
}

// planning is a command that prints a path's plan in one way or another.
func (p *program) planning(name, usage string, print func(materialize.Plan)) *cli.Command {
	return &cli.Command{
		Name:        name,
		Usage:       usage,
		ArgsUsage:   "PATH...",
		Description: "PATH is one of the tree, such as next/x86_64/qemu.qcow2, or one below a mount.",
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, -1); err != nil {
				return err
			}
			return p.service(c.Context, func(s webui.Service) error {
				plans := []materialize.Plan{}
				err := p.each(c.Context, c.Args().Slice(), func(arg string) error {
					plan, err := p.plan(c.Context, s, arg)
					if err != nil {
						return fmt.Errorf("%s %s: %w", name, arg, err)
					}
					plans = append(plans, plan)
					return nil
				})
				return errors.Join(err, p.data(plans, func() {
					for _, plan := range plans {
						print(plan)
					}
				}))
			})
		},
	}
}

func (p *program) plan(ctx context.Context, s webui.Service, arg string) (materialize.Plan, error) {
	path, err := p.treePath(ctx, s, arg)
	if err != nil {
		return materialize.Plan{}, err
	}
	return s.Plan(ctx, path)
}

// printPlan prints the steps in order, those that cost nothing in brackets.
func (p *program) printPlan(plan materialize.Plan) {
	p.say("%s: %s: %s", plan.Target, plan.State, plan.Reason)
	for i, step := range plan.Steps {
		mark := "do"
		if step.Done {
			mark = "have"
		}
		p.say("%3d. %-4s %-10s %s", i+1, mark, step.Do, step.What)
	}
}

// printWhy prints the reasons.
func (p *program) printWhy(plan materialize.Plan) {
	p.say("%s: %s: %s", plan.Target, plan.State, plan.Reason)
	for _, step := range plan.Steps {
		p.say("  %s: %s", step.Do, step.Why)
	}
	if plan.Inputs != "" {
		p.say("  inputs: %s", plan.Inputs)
	}
}
