package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/term"

	"cosafs/vfs/webui"
)

// A program is one run of cosafs: its streams, its environment and, once flags
// are read, its configuration.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            map[string]string
	cfg            Config
}

func newProgram(stdin io.Reader, stdout, stderr io.Writer, environ []string) *program {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, env: map[string]string{}}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		p.env[name] = value
	}
	return p
}

// getenv is os.Getenv over the run's own environment.
func (p *program) getenv(name string) string { return p.env[name] }

// runtime says where this user's daemons listen.
func (p *program) runtime() webui.Runtime {
	return webui.RuntimeOf(os.Getuid(), p.getenv("XDG_RUNTIME_DIR"))
}

// logger writes to standard error, as much as -q and -v ask for.
func (p *program) logger(level slog.Level) *slog.Logger { return p.loggerTo(p.stderr, level) }

func (p *program) loggerTo(w io.Writer, level slog.Level) *slog.Logger {
	switch {
	case p.cfg.Verbose:
		level = slog.LevelDebug
	case p.cfg.Quiet:
		level = slog.LevelError
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// say prints a line of data. A reader who is gone ends the program by SIGPIPE;
// other errors have nobody to go to.
func (p *program) say(format string, args ...any) { fmt.Fprintf(p.stdout, format+"\n", args...) }

// talk prints a line for the person who watches, unless -q was given.
func (p *program) talk(format string, args ...any) {
	if !p.cfg.Quiet {
		fmt.Fprintf(p.stderr, format+"\n", args...)
	}
}

// data prints v as JSON when --json was given, else as text does.
func (p *program) data(v any, text func()) error {
	if !p.cfg.JSON {
		text()
		return nil
	}
	enc := json.NewEncoder(p.stdout)
	enc.SetIndent("", "    ") // as cosa's own files
	return enc.Encode(v)
}

// terminal gives the descriptor of w if it is a terminal.
func terminal(w io.Writer) (fd int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile {
		return 0, false
	}
	fd = int(f.Fd())
	return fd, term.IsTerminal(fd)
}
