package guest

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"cosafs/materialize/appliance"
	"cosafs/materialize/disk/install"
)

// steps does the phases of writing a disk, which share what is here.
type steps struct {
	programs
	job    *install.Job
	system *install.System
	result install.Result
	// The fields are known once what has them is written.
	console, platform install.Field
}

func newSteps(job *install.Job, tell *teller) *steps {
	s := &steps{programs: programs{tell: tell, time: job.Time}, job: job}
	s.system = &install.System{Job: job, Repo: repoDir, Root: targetDir, ESP: espDir, Temp: "/tmp", Run: s.command}
	return s
}

// programs are run for a job.
type programs struct {
	tell *teller
	time time.Time // for now, where they ask for it
}

// A phase is a part of a job, which works on a disk.
type phase struct {
	name     string
	fraction float64 // of the job that is done when it begins, 0 to 1
	do       func(ctx context.Context, disk string) error
}

// ignoring has a phase that needs no disk take one.
func ignoring(do func(context.Context) error) func(context.Context, string) error {
	return func(ctx context.Context, _ string) error { return do(ctx) }
}

// phases does them in order, up to the first that fails.
func (p *programs) phases(ctx context.Context, disk string, all []phase) error {
	for _, ph := range all {
		if err := p.tell.send(appliance.Event{Phase: ph.name, Fraction: ph.fraction}); err != nil {
			return err
		}
		if err := ph.do(ctx, disk); err != nil {
			return fmt.Errorf("%s: %w", ph.name, err)
		}
	}
	return nil
}

// command runs a program. It and its output go to the host line by line; the last
// line is in the error: most programs say there why they failed.
func (p *programs) command(ctx context.Context, name string, args ...string) error {
	if err := p.tell.send(appliance.Event{Log: "+ " + name + " " + strings.Join(args, " ")}); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, name, args...)
	w := &lineWriter{tell: p.tell}
	cmd.Stdout, cmd.Stderr = w, w
	// mke2fs and mtools take their idea of now from here.
	now := strconv.FormatInt(p.time.Unix(), 10)
	cmd.Env = append(cmd.Environ(), "SOURCE_DATE_EPOCH="+now, "E2FSPROGS_FAKE_TIME="+now, "TZ=UTC", "MTOOLSRC=/dev/null")
	err := cmd.Run()
	if ferr := w.flush(); err == nil {
		err = ferr
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, w.last)
	}
	return nil
}
