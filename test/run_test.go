package test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// runBoots has cosafs run boot something, ends it when the system is up, and checks which it
// was. The machine leaves no process behind.
func (e *env) runBoots(commit, platformID string, args ...string) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.Context(), 5*time.Minute)
	defer cancel()
	cmd := e.commandContext(ctx, shared.cosafs, append([]string{"--workdir", e.work, "run"}, args...)...)
	out, in, err := os.Pipe()
	if err != nil {
		e.Fatal(err)
	}
	defer func() { _ = out.Close() }() // only read
	cmd.Stdout, cmd.Stderr = in, in
	err = cmd.Start()
	_ = in.Close() // the program has its own
	if err != nil {
		e.Fatal(err)
	}
	console := until("TINYOS-BOOT-OK", out)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		e.Errorf("cosafs run %q has ended: %v", args, err)
	}
	_ = cmd.Wait() // ended by a signal
	e.isUp(fmt.Sprintf("cosafs run %q", args), console, commit, platformID)
	if left := e.machines(); left != "" {
		e.Errorf("cosafs run %q left %s", args, left)
	}
}

// until gives the lines of a file up to one that holds a text.
func until(text string, f *os.File) string {
	var b strings.Builder
	for lines := bufio.NewScanner(f); lines.Scan(); {
		b.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), text) {
			break
		}
	}
	return b.String()
}
