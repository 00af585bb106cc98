package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// aliasPrefix is how cosa spells the making of one more artifact:
// buildextend-metal is extend metal.
const aliasPrefix = "buildextend-"

// arrange puts a command line into the only order that the flag parser takes:
// options before arguments, global options before the command. People write
// "cosafs ls 41.1 --all --json", and so do cosa's scripts.
func arrange(app *cli.App, args []string) ([]string, error) {
	a := arranger{global: app.Flags, uploads: slices.Contains(args, "--upload")}
	rest := args[1:]
	for len(rest) > 0 {
		arg := rest[0]
		switch {
		case arg == "--":
			a.plain = append(a.plain, rest[1:]...)
			rest = nil
		case len(arg) > 1 && arg[0] == '-':
			var err error
			if rest, err = a.option(rest); err != nil {
				return nil, err
			}
		default:
			a.word(app, arg)
			rest = rest[1:]
		}
	}
	line := append([]string{args[0]}, a.front...)
	if a.names == nil {
		return slices.Concat(line, a.options, a.plain), nil
	}
	line = slices.Concat(line, a.names, a.options)
	if a.command != nil {
		line = append(line, "--")
	}
	return append(line, a.plain...), nil
}

// An arranger sorts the words of a command line.
type arranger struct {
	global  []cli.Flag
	command *cli.Command // nil until it is known, or when it is unknown
	names   []string     // of the command and its subcommand, as given
	uploads bool         // --upload is among the words: buildextend-aws is to do that, too
	front   []string     // global options
	options []string     // the command's
	plain   []string     // arguments
}

// word takes the command's name, its subcommand's, or an argument.
func (a *arranger) word(app *cli.App, arg string) {
	switch {
	case a.names == nil:
		a.begin(app, arg)
	case a.command != nil && len(a.command.Subcommands) > 0:
		a.names = append(a.names, arg)
		a.command = subcommand(a.command, arg)
	default:
		a.plain = append(a.plain, arg)
	}
}

// begin takes the command's name, or cosa's for it.
func (a *arranger) begin(app *cli.App, arg string) {
	kind, extends := strings.CutPrefix(arg, aliasPrefix)
	switch {
	case arg == "imageupload-aws", extends && kind == "ec2", extends && kind == "aws" && a.uploads:
		a.names = []string{"aws", "upload"}
	case arg == "aws-replicate":
		a.names = []string{"aws", "replicate"}
	case extends:
		a.names, a.plain = []string{"extend"}, []string{kind}
	default:
		a.names = []string{arg}
	}
	if a.command = app.Command(a.names[0]); len(a.names) > 1 {
		a.command = subcommand(a.command, a.names[1])
	}
}

// subcommand gives the one of a name, or nil.
func subcommand(c *cli.Command, name string) *cli.Command {
	i := slices.IndexFunc(c.Subcommands, func(s *cli.Command) bool { return s.HasName(name) })
	if i < 0 {
		return nil
	}
	return c.Subcommands[i]
}

// option takes an option with its value, and gives what is left. An option
// that nobody knows goes to the parser, which complains.
func (a *arranger) option(rest []string) ([]string, error) {
	name, _, joined := strings.Cut(strings.TrimLeft(rest[0], "-"), "=")
	var own []cli.Flag
	if a.command != nil {
		own = a.command.Flags
	}
	flag, to := find(own, name), &a.options
	if flag == nil && name != "help" && name != "h" {
		if flag = find(a.global, name); flag != nil {
			to = &a.front
		}
	}
	n := 1
	if _, isBool := flag.(*cli.BoolFlag); flag != nil && !isBool && !joined {
		n = 2
	}
	if len(rest) < n { // the parser would take the command's name for the value
		return nil, usagef(strings.Join(a.names, " "), "option %s needs a value", rest[0])
	}
	*to = append(*to, rest[:n]...)
	return rest[n:], nil
}

// find gives the flag of a name, or nil.
func find(flags []cli.Flag, name string) cli.Flag {
	i := slices.IndexFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if i < 0 {
		return nil
	}
	return flags[i]
}
