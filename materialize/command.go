package materialize

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// JobEnv is the environment variable that every child process of a job
// carries; its value is the job's id. A [Runner] finds by it what a job or a
// killed process left running.
const JobEnv = "COSAFS_JOB"

// killDelay is how long a child has between SIGTERM and SIGKILL. qemu and dnf
// need well below a second for an orderly end.
const killDelay = 5 * time.Second

// CommandContext is [exec.CommandContext] for the work of a job. Every program
// that a work starts should be started by it.
//
//   - The child's Env is this process's and [JobEnv]; append to cmd.Env, don't
//     replace it.
//   - Stdout and Stderr go to the task's log; Stdin is /dev/null.
//   - The child leads a process group of its own, so that a ^C at the terminal
//     reaches it only through ctx.
//   - When ctx ends the child and all its descendants get SIGTERM; after
//     cmd.WaitDelay (5 s) the child is killed. What is left of the job's
//     processes then is killed by the Runner when the job has ended.
//
// PR_SET_PDEATHSIG is left out on purpose: the kernel sends it when the thread
// that forked ends, and Go ends threads at will.
func CommandContext(ctx context.Context, t *Task, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = os.Environ()
	if t.Job != "" {
		cmd.Env = append(cmd.Env, JobEnv+"="+t.Job)
	}
	cmd.Stdout, cmd.Stderr = t.Log, t.Log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return terminate(cmd.Process) }
	cmd.WaitDelay = killDelay
	return cmd
}

// terminate asks a process and its descendants to end, while it is still known
// who they are. They hear of it together: a shell whose command has ended would
// go on with the next one, and succeed.
func terminate(child *os.Process) error {
	kin := freeze(func(p process) bool { return p.pid == child.Pid })
	err := child.Signal(syscall.SIGTERM)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGCONT} {
		for _, pid := range kin {
			_ = syscall.Kill(pid, sig) // it may have ended meanwhile
		}
	}
	return err
}
