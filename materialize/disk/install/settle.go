package install

import (
	"context"
	"strconv"
	"time"
)

// Settle gives what was written now below the folders the job's time.
func (s *System) Settle(ctx context.Context, folders ...string) error {
	return s.Run(ctx, "find", settling(s.Job.Time, folders)...)
}

// Settle gives what was written now below the folders the time of Time.
func (l Tools) Settle(ctx context.Context, folders ...string) error {
	return l.Run(ctx, "find", settling(l.Time, folders)...)
}

// settling are find's arguments. ostree itself gives files of a commit no time, which is
// 1970. Directories come after what is in them, since looking there changes their atime.
func settling(now time.Time, folders []string) []string {
	return append(folders, "-depth", "-newermt", "@1",
		"-exec", "touch", "-h", "-d", "@"+strconv.FormatInt(now.Unix(), 10), "{}", "+")
}
