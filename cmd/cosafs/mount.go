package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"cosafs/cmd/internal/daemon"
	"cosafs/cmd/internal/remote"
	"cosafs/vfs/webui"
)

func (p *program) mountCommand() *cli.Command {
	return &cli.Command{
		Name:      "mount",
		Usage:     "show the build directory as a file system",
		ArgsUsage: "DIR",
		Description: "Returns when the tree answers at DIR; a daemon goes on in the background until the last\n" +
			"mount is gone. Opening a file there makes it, if it exists nowhere. cosafs umount DIR ends it.",
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "foreground", Aliases: []string{"f"}, Usage: "stay, and log to standard error"},
			&cli.BoolFlag{Name: "allow-other", Usage: "let other users look, too"},
			&cli.BoolFlag{Name: "side-by-side", Usage: "show each store in a folder of its own below DIR, named as in --store NAME=URL"},
			&cli.BoolFlag{Name: "show-all", Usage: "list also what could be built: cp -r and indexers will build it"},
			&cli.StringFlag{Name: "serve", Usage: "show it at `ADDR` to other machines, too, as cosafs serve does, for as long as it is mounted"},
		}, serveFlags()...),
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, 1); err != nil {
				return err
			}
			sideBySide := c.Bool("side-by-side")
			if sideBySide && (c.Bool("foreground") || c.IsSet("serve") || !p.storesOnly()) {
				return usagef("mount", "--side-by-side is for stores alone, and not for --foreground and --serve: each store has a daemon of its own")
			}
			if err := p.checkHome(); err != nil {
				return err
			}
			dir, err := mountPoint(c.Args().First())
			if err == nil {
				err = checkMountPoint(dir)
			}
			if err != nil {
				return hintf(err, "mkdir -p %s", c.Args().First())
			}
			req := webui.MountRequest{Dir: dir, AllowOther: c.Bool("allow-other"), ShowAll: c.Bool("show-all")}
			var door *webui.ServeRequest
			if c.IsSet("serve") {
				at := p.doorAt(c.String("serve"), false)
				door = &at
			}
			switch {
			case sideBySide:
				return p.mountSideBySide(c.Context, req)
			case c.Bool("foreground"):
				return p.beDaemon(c.Context, &req, door)
			}
			return p.mount(c.Context, req, door)
		},
	}
}

// mountPoint gives the real path of a mount point. A dead mount has to be
// named by the path it was mounted at, as it answers nothing; so only the
// directory above is resolved.
func mountPoint(arg string) (string, error) {
	abs, err := filepath.Abs(arg)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", arg, err)
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real, nil
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", fmt.Errorf("mount point: %w", err)
	}
	return filepath.Join(parent, filepath.Base(abs)), nil
}

// checkMountPoint refuses what can't be one. A dead mount answers nothing, and
// may be replaced.
func checkMountPoint(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("mount point: %w", err)
	case err == nil && !info.IsDir():
		return hintf(fmt.Errorf("mount point %s: not a directory: %w", dir, fs.ErrInvalid), "name an empty directory")
	}
	return nil
}

// mountTries bounds how often a daemon that just ends or just starts is met.
const mountTries = 3

// mount asks the build directory's daemon for the mount, and the remote door if
// there is to be one, or starts one.
func (p *program) mount(ctx context.Context, req webui.MountRequest, door *webui.ServeRequest) error {
	var err error
	for range mountTries {
		err = p.askDaemon(ctx, req, door)
		if !errors.Is(err, webui.ErrNoDaemon) && !errors.Is(err, fs.ErrClosed) {
			break
		}
		err = p.startDaemon(ctx, req, door)
		if !errors.Is(err, webui.ErrRunning) {
			break
		}
	}
	if err != nil {
		return hintf(fmt.Errorf("mount %s: %w", req.Dir, err), "the daemon's log is %s", daemon.LogPath(p.home()))
	}
	return nil
}

// askDaemon has the running daemon mount, and open the door.
func (p *program) askDaemon(ctx context.Context, req webui.MountRequest, door *webui.ServeRequest) error {
	c, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Mount(ctx, req); err != nil || door == nil {
		return err
	}
	stay := *door
	stay.Stay = true
	return c.Serve(ctx, stay, p.tellDoor)
}

// startDaemon starts this program again as a daemon that mounts.
func (p *program) startDaemon(ctx context.Context, req webui.MountRequest, door *webui.ServeRequest) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	log, err := daemon.OpenLog(daemon.LogPath(p.home()))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // nothing of ours is in it
	// Not CommandContext: the daemon goes on when this command has ended.
	cmd := exec.Command(exe, p.daemonArgs(req, door)...)
	cmd.Args[0] = "cosafs" // for ps; the program's own name may be /proc/self/exe
	cmd.Env = p.environ()
	if err := daemon.Start(ctx, cmd, log); err != nil || door == nil {
		return err
	}
	return p.askDaemon(ctx, req, door) // both are there: it says where
}

// daemonArgs says the configuration, the mount and the door as a command line.
func (p *program) daemonArgs(req webui.MountRequest, door *webui.ServeRequest) []string {
	args := p.givenArgs(settings())
	if !p.storesOnly() {
		args = append(args, "--workdir", p.cfg.Workdir)
	}
	if p.cfg.Verbose {
		args = append(args, "--verbose")
	}
	args = append(args, "mount", "--foreground")
	if req.AllowOther {
		args = append(args, "--allow-other")
	}
	if req.ShowAll {
		args = append(args, "--show-all")
	}
	if door != nil {
		args = append(append(args, "--serve", door.Addr), p.givenArgs(serveSettings())...)
	}
	return append(args, "--", req.Dir)
}

// givenArgs spells the settings that are not what they are by default.
func (p *program) givenArgs(list []setting) []string {
	var args []string
	for _, s := range list {
		if value, ok := p.cfg.given[s.name]; ok && s.name != "workdir" {
			args = append(args, s.args(value)...)
		}
	}
	return args
}

// environ gives the environment as a child takes it.
func (p *program) environ() []string {
	env := make([]string, 0, len(p.env))
	for name, value := range p.env {
		env = append(env, name+"="+value)
	}
	return env
}

// beDaemon is the daemon, in this process: for a mount, a remote door, or both.
func (p *program) beDaemon(ctx context.Context, first *webui.MountRequest, door *webui.ServeRequest) error {
	notify := daemon.NewNotifier(p.getenv)
	log, closeLog, err := p.daemonLogger(notify)
	if err != nil {
		return err
	}
	defer closeLog()
	defer tellEnd(ctx, log)()
	err = daemon.Run(ctx, daemon.Config{
		Workdir: p.home(),
		Runtime: p.runtime(),
		Open:    func(ctx context.Context) (daemon.Backend, error) { return p.openWatched(ctx, log) },
		Mount:   p.showAt(log),
		First:   first,
		Serve:   p.serveAt(log),
		Door:    door,
		Ready:   p.ready(notify),
		Logger:  log,
	})
	if err != nil {
		notify.Failed(err)
	}
	if err != nil && first != nil {
		err = fmt.Errorf("mount %s: %w", first.Dir, err)
	}
	if first != nil && errors.Is(err, webui.ErrRunning) {
		return hintf(err, "cosafs mount without --foreground asks it for one more mount; cosafs status shows it")
	}
	return err
}

// tellEnd tells the service manager when ctx ends. wait is called before the process
// ends: it returns when that was said, or at once while ctx goes on.
func tellEnd(ctx context.Context, log *slog.Logger) (wait func()) {
	told := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(told)
		if err := remote.NotifyStopping(); err != nil {
			log.Warn("service manager not told", "err", err)
		}
	})
	return func() {
		if !cancel() {
			<-told
		}
	}
}

// ready tells everybody who waits for the daemon that it answers.
func (p *program) ready(notify *daemon.Notifier) func(webui.ServeInfo) {
	return func(info webui.ServeInfo) {
		if !notify.Detached() {
			p.tellDoor(info)
		}
		notify.Ready()
		if err := remote.NotifyReady(info.URLs); err != nil {
			p.talk("cosafs: %v", err)
		}
	}
}

// daemonLogger logs to the rotated file when this process runs in the
// background, else to standard error.
func (p *program) daemonLogger(n *daemon.Notifier) (*slog.Logger, func(), error) {
	if !n.Detached() {
		return p.logger(slog.LevelInfo), func() {}, nil
	}
	file, err := daemon.OpenLog(daemon.LogPath(p.home()))
	if err != nil {
		return nil, nil, err
	}
	return p.loggerTo(file, slog.LevelInfo), func() { _ = file.Close() }, nil // all written: no buffer
}
