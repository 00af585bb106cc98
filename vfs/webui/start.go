package webui

import (
	"context"
	"slices"
	"time"

	"cosafs/materialize"
)

// startPoll is how often it is looked whether work that was begun has a job yet.
const startPoll = 20 * time.Millisecond

// Start begins what [Service.Materialise] does, and returns when there is a job to
// watch, without waiting for its end. job is "" when there is nothing to wait for:
// the bytes are there. Errors are those of Materialise: an earlier failure of the
// same inputs, say.
//
// The work may need further jobs after this one. It goes on until all are done,
// whoever watches, as its ctx does not end with ctx; somebody may cancel its job,
// and the end of the service ends it. When ctx ends before a job is known, the
// caller has left as callers of Materialise do.
func Start(ctx context.Context, s Service, path string) (job string, err error) {
	job, _, err = startPath(ctx, s, path)
	return job, err
}

// startPath is Start, with what the work gave if it has ended.
func startPath(ctx context.Context, s Service, path string) (string, materialize.Result, error) {
	work := func(ctx context.Context, tell func(materialize.Event)) (materialize.Result, error) {
		return s.Materialise(ctx, path, tell)
	}
	return begin(ctx, work, func(bool) string {
		plan, err := s.Plan(ctx, path)
		if err != nil || plan.State != materialize.StateBuilding {
			return "" // the work itself says what is wrong
		}
		return plan.Job
	})
}

// startBuild begins a build as [Start] does a path. Of two that begin in the same
// moment with different options, either may be given the other's job.
func startBuild(ctx context.Context, s Service, req BuildRequest) (string, BuildResult, error) {
	before, err := s.Jobs(ctx)
	if err != nil {
		return "", BuildResult{}, err
	}
	work := func(ctx context.Context, tell func(materialize.Event)) (BuildResult, error) {
		return s.Build(ctx, req, tell)
	}
	return begin(ctx, work, func(heard bool) string { return buildJob(ctx, s, before, heard) })
}

// buildJob finds the job of a build that was begun: a new one, or, when the build
// is heard of and there is no new one, the one that it joined.
func buildJob(ctx context.Context, s Service, before []materialize.JobInfo, heard bool) string {
	jobs, err := s.Jobs(ctx)
	if err != nil {
		return "" // asked again in a moment
	}
	jobs = slices.DeleteFunc(jobs, func(j materialize.JobInfo) bool {
		return !j.Active() || j.Target.Build != materialize.Next
	})
	for _, j := range jobs {
		if !slices.ContainsFunc(before, func(old materialize.JobInfo) bool { return old.ID == j.ID }) {
			return j.ID
		}
	}
	if heard && len(jobs) > 0 {
		return jobs[0].ID
	}
	return ""
}

// An outcome is what work came to.
type outcome[T any] struct {
	res T
	err error
}

// begin starts work and waits until it tells of its job, until find knows the job,
// or until the work has ended. find is told whether the work was heard of. The
// goroutine ends with the work, which the service's end ends.
func begin[T any](ctx context.Context, work func(context.Context, func(materialize.Event)) (T, error), find func(heard bool) string) (job string, res T, err error) {
	detached, leave := context.WithCancelCause(context.WithoutCancel(ctx))
	told, ended := make(chan string, 1), make(chan outcome[T], 1)
	go func() {
		defer leave(nil)
		res, err := work(detached, func(e materialize.Event) { offer(told, e.Job) })
		ended <- outcome[T]{res, err}
	}()
	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	for heard := false; ; {
		select {
		case job, heard = <-told:
		case <-tick.C:
			job = find(heard)
		case o := <-ended:
			if o.err == nil {
				job = lastTold(told)
			}
			return job, o.res, o.err
		case <-ctx.Done():
			leave(context.Cause(ctx))
			o := <-ended
			return "", o.res, context.Cause(ctx)
		}
		if job != "" {
			return job, res, nil
		}
	}
}

// offer passes a job's id on unless one waits already: work waits for nobody.
func offer(told chan<- string, job string) {
	select {
	case told <- job:
	default:
	}
}

// lastTold gives the id that waits, "" if there is none.
func lastTold(told <-chan string) string {
	select {
	case job := <-told:
		return job
	default:
		return ""
	}
}
