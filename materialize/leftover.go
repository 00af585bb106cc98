package materialize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process is one line of what /proc says.
type process struct {
	pid, parent, group int
	state              byte   // 'Z' has ended already
	job                string // value of JobEnv in its environment, "" if none
}

// killRounds bounds how often killJob looks again for processes that were
// forked while it looked.
const killRounds = 50

// killJob kills every process that a job left, and waits until they are gone.
// It says how many there were.
func killJob(ctx context.Context, id string) (int, error) {
	seen := map[int]bool{}
	for range killRounds {
		left := jobProcesses(listProcesses(), id)
		if len(left) == 0 {
			return len(seen), nil
		}
		for _, pid := range left {
			seen[pid] = true
			// It may have ended meanwhile, or belong to somebody else: the next
			// round sees which.
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return len(seen), context.Cause(ctx)
		}
	}
	return len(seen), fmt.Errorf("processes of job %s can't be killed: %w", id, os.ErrDeadlineExceeded)
}

// jobProcesses picks the live processes of a job: those that carry its id, their
// descendants, and the groups that one of them leads, since programs such as rpm
// start scriptlets with an environment of their own. Never this process.
func jobProcesses(all []process, id string) []int {
	ours := map[int]bool{}
	for grew := true; grew; {
		grew = false
		for _, p := range all {
			marked := p.job == id || ours[p.parent] || p.group != p.pid && ours[p.group]
			if marked && !ours[p.pid] && p.pid != ownPID() {
				ours[p.pid], grew = true, true
			}
		}
	}
	var pids []int
	for _, p := range all {
		if ours[p.pid] && p.state != 'Z' {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// listProcesses reads /proc. Processes that end meanwhile are left out, and the
// environment of other users' processes can't be seen.
func listProcesses() []process {
	// A pattern without a bad bracket can't fail.
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var all []process
	for _, dir := range dirs {
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue
		}
		p, err := parseStat(stat)
		if err != nil {
			continue
		}
		if env, err := os.ReadFile(filepath.Join(dir, "environ")); err == nil {
			p.job = lookupEnv(env, JobEnv)
		}
		all = append(all, p)
	}
	return all
}

// parseStat reads the start of /proc/PID/stat (proc_pid_stat(5)). The name, in
// parentheses, may hold anything, so the fields after it are counted from the
// last one.
func parseStat(data []byte) (process, error) {
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return process{}, fmt.Errorf("stat of a process: %q", data)
	}
	rest := strings.Fields(string(data[end+1:]))
	if len(rest) < 3 {
		return process{}, fmt.Errorf("stat of a process: %q", data)
	}
	pid, err1 := strconv.Atoi(strings.TrimSpace(string(data[:open])))
	parent, err2 := strconv.Atoi(rest[1])
	group, err3 := strconv.Atoi(rest[2])
	return process{pid: pid, parent: parent, group: group, state: rest[0][0]}, errors.Join(err1, err2, err3)
}

// lookupEnv gives a variable of /proc/PID/environ.
func lookupEnv(env []byte, name string) string {
	for entry := range bytes.SplitSeq(env, []byte{0}) {
		if value, ok := bytes.CutPrefix(entry, []byte(name+"=")); ok {
			return string(value)
		}
	}
	return ""
}
