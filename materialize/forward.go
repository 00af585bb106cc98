package materialize

import (
	"context"
	"time"
)

// handOverTime is how long a disk that a build began goes on before anybody
// has come to wait for it.
const handOverTime = 10 * time.Second

func (m *Maker) handOver() time.Duration {
	if m.Linger < 0 {
		return m.Linger
	}
	return max(m.Linger, handOverTime)
}

// forward shows the progress of the job with the key as that of task, until
// the returned function is called.
func (m *Maker) forward(ctx context.Context, key string, task *Task) func() {
	if task == nil || task.Progress == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.follow(ctx, key, func(info JobInfo) { task.Progress(info.Title+": "+info.Phase, info.Fraction) })
	}()
	return func() { cancel(); <-done }
}

// follow tells of the job with the key from when there is one until ctx ends.
func (m *Maker) follow(ctx context.Context, key string, tell func(JobInfo)) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for ctx.Err() == nil {
		for info := range m.Runner.Watch(ctx, key) {
			if !info.State.ended() {
				tell(info)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}
