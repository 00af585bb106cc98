package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/urfave/cli/v2"

	"cosafs/cmd/internal/daemon"
	"cosafs/vfs/webui"
)

// goneTime is how long umount waits for a daemon without other mounts to end,
// so that the build directory can be deleted right after.
const goneTime = 5 * time.Second

func (p *program) umountCommand() *cli.Command {
	return &cli.Command{
		Name:        "umount",
		Aliases:     []string{"unmount"},
		Usage:       "take a mount away",
		ArgsUsage:   "DIR...",
		Description: "A busy mount is detached: it goes when its last user does. Dead ones are cleared away.",
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, -1); err != nil {
				return err
			}
			return p.each(c.Context, c.Args().Slice(), func(dir string) error { return p.umount(c.Context, dir) })
		},
	}
}

// umount has the daemon take dir away, or does it itself where none answers.
func (p *program) umount(ctx context.Context, arg string) error {
	dir, err := mountPoint(arg)
	if err != nil {
		return err
	}
	c, st, err := daemon.Find(ctx, p.runtime(), dir)
	if err == nil {
		defer c.Close()
		err = p.askUnmount(ctx, c, st, dir)
	}
	if err != nil && ctx.Err() == nil { // no daemon, or one that can't
		err = detach(ctx, dir)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		if below := mountsIn(ctx, dir); len(below) > 0 {
			return p.each(ctx, below, func(dir string) error { return p.umount(ctx, dir) })
		}
		return hintf(fmt.Errorf("umount %s: not a cosafs mount: %w", arg, err), "cosafs status lists the mounts of a build directory")
	}
	if err != nil {
		return fmt.Errorf("umount %s: %w", arg, err)
	}
	return nil
}

// askUnmount tells the daemon, and waits for its end if this was its last
// mount, no job goes on and nobody else keeps it.
func (p *program) askUnmount(ctx context.Context, c *webui.Client, st webui.Status, dir string) error {
	if err := c.Unmount(ctx, dir); err != nil {
		return err
	}
	if len(st.Mounts) > 1 || len(st.Jobs) > 0 || st.Held > 0 {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, goneTime)
	defer cancel()
	if err := daemon.WaitEnd(wait, st.Workdir); err != nil {
		p.talk("The daemon (pid %d) is still ending.", st.PID)
	}
	return nil
}
