package aws

import (
	"context"
	"fmt"
	"time"
)

const (
	// pollPause is between two looks; ore has 20 s for imports.
	pollPause = 10 * time.Second
	// pollLimit is how often something is looked at: 90 minutes. ore waits 30
	// minutes for a copy; an import of a large disk takes longer.
	pollLimit = 540
	// settleLimit is how often something is looked for that may not be visible yet:
	// answers of EC2 are eventually consistent, by seconds.
	settleLimit = 6
)

// wait is the Wait of a config that has none.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// poll looks until look says done, at most limit times. It fails with errTooLong.
func (u *Uploader) poll(ctx context.Context, limit int, what string, look func() (done bool, err error)) error {
	for i := range limit {
		if i > 0 {
			if err := u.c.Wait(ctx, pollPause); err != nil {
				return err
			}
		}
		if done, err := look(); done || err != nil {
			return err
		}
	}
	return fmt.Errorf("wait for %s: %w", what, errTooLong)
}
