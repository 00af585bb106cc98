package install

import (
	"context"
	"os"
	"strconv"
	"time"

	"cosafs/materialize"
)

// Tools are this machine's programs, run as root of a user name space where the caller
// isn't root: what belongs to him is root's there. They take Time for now where they can.
type Tools struct {
	Op   string // as in [materialize.Failure]
	Task *materialize.Task
	Time time.Time
}

// Run runs a program; see [materialize.Tool.Run].
func (l Tools) Run(ctx context.Context, name string, args ...string) error {
	_, err := l.Output(ctx, name, args...)
	return err
}

// Output is Run and gives what the program prints.
func (l Tools) Output(ctx context.Context, name string, args ...string) ([]byte, error) {
	if os.Geteuid() != 0 {
		name, args = "unshare", append([]string{"--map-root-user", "--", name}, args...)
	}
	now := strconv.FormatInt(l.Time.Unix(), 10)
	return materialize.Tool{Op: l.Op, Name: name, Env: []string{
		"SOURCE_DATE_EPOCH=" + now, "E2FSPROGS_FAKE_TIME=" + now, "TZ=UTC", "LC_ALL=C.UTF-8",
		"OSTREE_SYSROOT_DEBUG=mutable-deployments", // the flag needs privileges, and is gone in copies
		"MTOOLSRC=/dev/null", "PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin",
	}}.Output(ctx, l.Task, args...)
}
