package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"
)

// A grade says how bad a finding is.
type grade string

const (
	gradeOK      grade = "ok"
	gradeNote    grade = "note"    // works, but slower or with less
	gradeMissing grade = "missing" // building or mounting won't work
)

// A finding is what one check found.
type finding struct {
	Check string `json:"check"`
	Grade grade  `json:"grade"`
	Found string `json:"found"`
	Fix   string `json:"fix,omitempty"` // the command that mends it
}

func (p *program) doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "say what this machine lacks for building and mounting",
		Description: "Every line is one check: ok, note (works, but slower or with less) or missing (with what\n" +
			"mends it). Exits with 1 if something is missing.",
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			return p.doctor(c.Context)
		},
	}
}

// doctor runs every check.
func (p *program) doctor(ctx context.Context) error {
	m := host{root: "/", workdir: p.cfg.Workdir, path: p.getenv("PATH"), arch: p.arch(), kvmOff: p.cfg.KVM == "off" || p.getenv("COSA_NO_KVM") != ""}
	var findings []finding
	for _, check := range m.checks() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		findings = append(findings, check()...)
	}
	missing := 0
	for _, f := range findings {
		if f.Grade == gradeMissing {
			missing++
		}
	}
	if err := p.data(findings, func() { p.printFindings(findings) }); err != nil {
		return err
	}
	if missing == 0 {
		return nil
	}
	p.talk("%d missing.", missing)
	return errReported
}

func (p *program) printFindings(findings []finding) {
	for _, f := range findings {
		p.say("%-8s %-18s %s", f.Grade, f.Check, f.Found)
		if f.Fix != "" && f.Grade != gradeOK {
			p.say("%-8s %-18s %s", "", "", "mend: "+f.Fix)
		}
	}
}

// bytesText gives a number of bytes for people.
func bytesText(n uint64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }
