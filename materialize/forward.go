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

// followAs gives a ctx with which the phases of a job that is waited for are
// shown as phases of task, with the job's title before them.
func followAs(ctx context.Context, title string, task *Task) context.Context {
	shown := *task
	shown.Progress = func(phase string, fraction float64) {
		if task.Progress != nil {
			task.Progress(title+": "+phase, fraction)
		}
	}
	return Follow(ctx, &shown)
}
