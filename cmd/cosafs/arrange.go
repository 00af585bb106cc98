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
	a := arranger{global: app.Flags}
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
	if a.name == "" {
		return append(line, a.options...), nil
	}
	line = append(append(line, a.name), a.options...)
	if a.command != nil {
		line = append(line, "--")
	}
	return append(line, a.plain...), nil
}

// An arranger sorts the words of a command line.
type arranger struct {
	global  []cli.Flag
	command *cli.Command // nil until it is known, or when it is unknown
	name    string       // of the command, as given
	front   []string     // global options
	options []string     // the command's
	plain   []string     // arguments
}

// word takes the command's name, or an argument.
func (a *arranger) word(app *cli.App, arg string) {
	if a.name != "" {
		a.plain = append(a.plain, arg)
		return
	}
	a.name = arg
	if kind, ok := strings.CutPrefix(arg, aliasPrefix); ok {
		a.name, a.plain = "extend", []string{kind}
	}
	a.command = app.Command(a.name)
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
		return nil, usagef(a.name, "option %s needs a value", rest[0])
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
