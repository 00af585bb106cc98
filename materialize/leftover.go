package materialize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
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

// killRounds bounds how often the processes of a job are looked for again.
const killRounds = 50

// killJob kills every process that a job left, and waits until they are gone.
// It says how many there were. One whose parent went earlier, and that has
// changed its group and its environment, is out of reach.
func killJob(ctx context.Context, id string) (int, error) {
	killed := map[int]bool{}
	for range killRounds {
		left := freeze(func(p process) bool { return p.job == id })
		if len(left) == 0 {
			return len(killed), nil
		}
		for _, pid := range left {
			killed[pid] = true
			_ = syscall.Kill(pid, syscall.SIGKILL) // the next round sees whether it went
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return len(killed), context.Cause(ctx)
		}
	}
	return len(killed), fmt.Errorf("processes of job %s can't be killed: %w", id, os.ErrDeadlineExceeded)
}

// freeze stops a family and gives its members. A stopped process can't fork, so
// nobody is born who could not be told from a stranger once his parent has gone.
func freeze(kin func(process) bool) []int {
	stopped := map[int]bool{}
	for range killRounds {
		left := family(listProcesses(), kin)
		before := len(stopped)
		for _, pid := range left {
			if !stopped[pid] {
				stopped[pid] = true
				_ = syscall.Kill(pid, syscall.SIGSTOP) // it may have ended meanwhile
			}
		}
		if len(stopped) == before {
			return left
		}
	}
	return slices.Collect(maps.Keys(stopped))
}

// family picks the live processes that are of the kin, their descendants, and the
// groups that one of these leads, since programs such as rpm start scriptlets
// with an environment of their own. Never this process.
func family(all []process, kin func(process) bool) []int {
	ours := map[int]bool{}
	for grew := true; grew; {
		grew = false
		for _, p := range all {
			found := kin(p) || ours[p.parent] || ours[p.group]
			if found && !ours[p.pid] && p.pid != ownPID() {
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
