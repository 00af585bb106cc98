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
	lost           error // the first write of data that failed
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

// say prints a line of data.
func (p *program) say(format string, args ...any) { p.write(fmt.Sprintf(format+"\n", args...)) }

// write prints data. A reader who is gone ends the program by SIGPIPE; other
// errors, such as a full disk, are told at the end.
func (p *program) write(text string) {
	if _, err := io.WriteString(p.stdout, text); err != nil && p.lost == nil {
		p.lost = fmt.Errorf("write output: %w", err)
	}
}

// talk prints a line for the person who watches, unless -q was given.
func (p *program) talk(format string, args ...any) {
	if !p.cfg.Quiet {
		printTo(p.stderr, format+"\n", args...)
	}
}

// printTo writes to a person. Where that fails there is nobody to tell.
func printTo(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// data prints v as JSON when --json was given, else as text does.
func (p *program) data(v any, text func()) error {
	if !p.cfg.JSON {
		text()
		return nil
	}
	doc, err := json.MarshalIndent(v, "", "    ") // as cosa's own files
	if err != nil {
		return fmt.Errorf("print as JSON: %w", err)
	}
	p.say("%s", doc)
	return nil
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
