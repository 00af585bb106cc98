package main

import (
	"context"
	"errors"
	"strings"

	"github.com/urfave/cli/v2"
)

// app declares the program to the flag parser.
func (p *program) app() *cli.App {
	app := &cli.App{
		Name:            "cosafs",
		HelpName:        "cosafs",
		Usage:           "a coreos-assembler build directory as a file system that makes what you open",
		UsageText:       "cosafs [options] COMMAND [options] [arguments]",
		Description:     "Exit codes:\n\n" + exitCodes,
		Flags:           append(globalFlags(), &cli.BoolFlag{Name: "version", Usage: "print the version"}),
		Commands:        p.commands(),
		Reader:          p.stdin,
		Writer:          p.stdout,
		ErrWriter:       p.stderr,
		HideVersion:     true,
		HideHelpCommand: true,
		// Errors come back to run, which alone decides about exit codes.
		ExitErrHandler: func(*cli.Context, error) {},
		Action:         p.noCommand,
		OnUsageError:   onUsageError,
	}
	hideFalse(app.Flags)
	for _, c := range app.Commands {
		p.finish(c)
	}
	return app
}

// finish gives a command what all have: the configuration, and usage errors of
// our kind.
func (p *program) finish(c *cli.Command) {
	c.OnUsageError = onUsageError
	c.HideHelpCommand = true
	hideFalse(c.Flags)
	for _, sub := range c.Subcommands {
		p.finish(sub)
	}
	work := c.Action
	c.Action = func(ctx *cli.Context) error {
		if err := p.configure(ctx); err != nil {
			return err
		}
		return work(ctx)
	}
}

// hideFalse keeps "(default: false)" out of the help.
func hideFalse(flags []cli.Flag) {
	for _, f := range flags {
		if b, ok := f.(*cli.BoolFlag); ok {
			b.DisableDefaultText = true
		}
	}
}

// onUsageError makes the parser's complaint an error of ours.
func onUsageError(c *cli.Context, err error, isSubcommand bool) error {
	name := ""
	if isSubcommand && c.Command != nil {
		name = fullName(c.Command)
	}
	text := err.Error()
	if option, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		text = "unknown option " + dashed(option)
	}
	return usagef(name, "%s", text)
}

// dashed gives an option's name as it is typed.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// noCommand runs when no command's name was given, or an unknown one.
func (p *program) noCommand(c *cli.Context) error {
	if c.Bool("version") {
		return p.printVersion()
	}
	name := c.Args().First()
	if name == "" || name == "help" {
		return p.help(c)
	}
	err := &usageError{text: "unknown command " + name, hint: "cosafs --help lists the commands"}
	if near := cli.SuggestCommand(c.App.Commands, name); near != "" {
		err.hint = near + " cosafs --help lists the commands" // near is a question already
	}
	return err
}

// help prints the program's usage, or that of the command in the arguments.
func (p *program) help(c *cli.Context) error {
	if name := c.Args().Get(1); name != "" {
		return cli.ShowCommandHelp(c, name)
	}
	return cli.ShowAppHelp(c)
}

// commands is the table of them.
func (p *program) commands() []*cli.Command {
	return []*cli.Command{
		p.initCommand(), p.buildCommand(), p.extendCommand(), p.materialiseCommand(), p.compressCommand(), p.decompressCommand(),
		p.mountCommand(), p.umountCommand(), p.serveCommand(), p.tokenCommand(),
		p.listCommand(), p.showCommand(), p.lsCommand(), p.planCommand(), p.whyCommand(),
		p.findCommand(), p.diffCommand(),
		p.fetchCommand(), p.uploadCommand(), p.verifyCommand(), p.gcCommand(), p.syncCommand(), p.pinCommand(), p.awsCommand(),
		p.runCommand(),
		p.statusCommand(), p.logsCommand(), p.cancelCommand(), p.retryCommand(),
		p.pruneCommand(), p.tagCommand(),
		p.doctorCommand(), p.versionCommand(), p.genCommand(), p.manCommand(), p.guestCommand(),
	}
}

// wantArgs refuses fewer than low and more than high arguments; high < 0 is no limit.
func wantArgs(c *cli.Context, low, high int) error {
	name := fullName(c.Command)
	switch n := c.NArg(); {
	case n < low:
		return usagef(name, "%s: argument missing: %s", name, c.Command.ArgsUsage)
	case high >= 0 && n > high:
		return usagef(name, "%s: unexpected argument %q", name, c.Args().Get(high))
	}
	return nil
}

// fullName gives a command's name as it is typed: a subcommand's has two words.
func fullName(c *cli.Command) string { return strings.TrimPrefix(c.HelpName, "cosafs ") }

// interrupted says whether err is only the end of ctx, which a command that
// watches takes for its normal end.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}
