// Command cosafs shows a coreos-assembler build directory as a file system and
// makes what is missing in it when it is opened. One file of this package is
// one command; the package only reads flags, joins the parts and talks.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"cosafs/materialize/guest"
)

func main() {
	// As in cosa's container: what goes into a commit must not depend on who
	// makes it. What is private says so itself.
	syscall.Umask(0o022)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks politely; a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int {
	if guest.IsInit() { // the kernel of an appliance starts us without arguments
		if err := guest.Main(ctx); err != nil {
			printTo(stderr, "cosafs: %v\n", err)
			return exitFailure
		}
		return exitOK
	}
	p := newProgram(stdin, stdout, stderr, env)
	app := p.app()
	line, err := arrange(app, args)
	if err == nil {
		err = app.RunContext(ctx, line)
	}
	return p.report(ctx, err)
}
