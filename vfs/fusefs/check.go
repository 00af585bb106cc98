package fusefs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A State says what is mounted at a directory.
type State int

// The states of a directory.
const (
	NotMounted State = iota
	Alive            // a mount of ours; whoever serves it lives, though it may be slow
	Dead             // a mount of ours whose server is gone: everything gives ENOTCONN
	Foreign          // a mount of something else
)

func (s State) String() string {
	return [...]string{"not mounted", "alive", "dead", "mounted by something else"}[s]
}

// aliveTimeout is how long Check waits for an answer before it takes a silent
// server for a busy one.
const aliveTimeout = 2 * time.Second

// Check says what is mounted at dir. It never hangs, whatever became of the
// server behind.
func Check(ctx context.Context, dir string) (State, error) {
	dir, err := resolve(dir)
	if err != nil {
		return NotMounted, fmt.Errorf("check: %w", err)
	}
	m, err := find(dir)
	switch {
	case err != nil:
		return NotMounted, err
	case m == nil:
		return NotMounted, nil
	case m.fsType != fsType:
		return Foreign, nil
	}
	return ask(ctx, dir), nil
}

// ask finds out whether anybody answers. The request of a dead mount fails in
// the kernel at once. One to a stopped server would wait for ever, so it has a
// goroutine of its own, which ends with the server.
func ask(ctx context.Context, dir string) State {
	answer := make(chan error, 1)
	go func() {
		var st unix.Statfs_t
		answer <- unix.Statfs(dir, &st)
	}()
	timeout := time.NewTimer(aliveTimeout)
	defer timeout.Stop()
	select {
	case err := <-answer:
		if errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.ECONNABORTED) {
			return Dead
		}
	case <-timeout.C:
	case <-ctx.Done():
	}
	return Alive
}

// mount is one line of mountinfo.
type mount struct {
	major, minor uint32 // of the device; minor is also the number of the FUSE connection
	point        string
	fsType       string
}

// find gives what is mounted at dir, the topmost if several are; nil for nothing.
func find(dir string) (*mount, error) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var found *mount
	for lines := bufio.NewScanner(bytes.NewReader(info)); lines.Scan(); {
		if m, ok := parseMount(lines.Text()); ok && m.point == dir {
			found = &m
		}
	}
	return found, nil
}

// parseMount reads a line of mountinfo (proc_pid_mountinfo(5)).
func parseMount(line string) (mount, bool) {
	before, after, ok := strings.Cut(line, " - ")
	fields, more := strings.Fields(before), strings.Fields(after)
	if !ok || len(fields) < 5 || len(more) < 1 {
		return mount{}, false
	}
	major, minor, _ := strings.Cut(fields[2], ":")
	a, err1 := strconv.ParseUint(major, 10, 32)
	i, err2 := strconv.ParseUint(minor, 10, 32)
	if err1 != nil || err2 != nil {
		return mount{}, false
	}
	return mount{major: uint32(a), minor: uint32(i), point: unescape(fields[4]), fsType: more[0]}, true
}

// unescape undoes mountinfo's octal escapes of space, tab, newline and backslash.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// resolve makes a path absolute and free of links without looking at what is
// mounted there: only its parent is visited, which is another file system.
func resolve(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil || dir == "/" {
		return dir, err
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(dir))
	if err != nil {
		return "", err
	}
	dir = filepath.Join(parent, filepath.Base(dir))
	if target, err := os.Readlink(dir); err == nil {
		if !filepath.IsAbs(target) {
			target = filepath.Join(parent, target)
		}
		return filepath.EvalSymlinks(target)
	}
	return dir, nil
}
