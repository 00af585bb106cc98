package materialize_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	. "cosafs/materialize"
)

// childEnv makes a process of this test binary one of the childMain's.
const childEnv = "MATERIALIZE_TEST_CHILD"

// TestChild is not a test: it is what the other processes of the tests below run.
func TestChild(t *testing.T) {
	args := strings.Split(os.Getenv(childEnv), " ")
	if len(args) < 2 {
		t.Skip("not a child process of another test")
	}
	dir, r := args[1], newRunner(t, args[1], nil)
	switch args[0] {
	case "many":
		childMany(t, r, dir)
	case "hang":
		childHang(t, r)
	case "machine":
		childMachine(t, r, dir, args[2])
	case "fail":
		childFail(t, r)
	}
}

// childMany asks for the same work from four goroutines.
func childMany(t *testing.T, r *Runner, dir string) {
	t.Helper()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			res, err := r.Do(t.Context(), countedWork(dir), 0)
			if err != nil || res.Size != 5 {
				t.Errorf("Do = %+v, %v", res, err)
			}
		})
	}
	wg.Wait()
}

// countedWork writes one line to the file "runs" for each run, takes 300 ms and
// makes the file "out".
func countedWork(dir string) Work {
	out := filepath.Join(dir, "out")
	return fileWork("k", out, func(_ context.Context, task *Task) (Result, error) {
		runs, err := os.OpenFile(filepath.Join(dir, "runs"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return Result{}, err
		}
		_, err = fmt.Fprintln(runs, task.Job)
		task.Phase("counting", 0.5)
		<-time.After(300 * time.Millisecond)
		tmp := filepath.Join(task.Scratch, "out")
		err = errors.Join(err, runs.Close(), os.WriteFile(tmp, []byte("bytes"), 0o644), os.Rename(tmp, out))
		return Result{Path: out, Size: 5}, err
	})
}

// childHang starts a program in its job, says so and waits for the end.
func childHang(t *testing.T, r *Runner) {
	t.Helper()
	_, err := r.Do(t.Context(), work("k", func(ctx context.Context, task *Task) (Result, error) {
		task.Phase("hanging", 0.25)
		// The shell's child has another group and an empty environment.
		cmd := CommandContext(ctx, task, "sh", "-c", fmt.Sprintf("echo hello from sh; env -i setsid sleep %s; true", sleepTime(os.Getpid())))
		if err := cmd.Start(); err != nil {
			return Result{}, err
		}
		if err := os.MkdirAll(filepath.Join(task.Scratch, "d"), 0o755); err != nil {
			return Result{}, err
		}
		fmt.Println("child", task.Job, cmd.Process.Pid, task.Scratch)
		return Result{}, cmd.Wait()
	}), 0)
	fmt.Println("end", errors.Is(err, ErrCancelled))
}

// childMachine runs machines, and fails if another one runs at the same time.
func childMachine(t *testing.T, r *Runner, dir, name string) {
	t.Helper()
	for i := range 3 {
		w := work(fmt.Sprint(name, i), func(context.Context, *Task) (Result, error) {
			busy := filepath.Join(dir, "busy")
			if err := os.Mkdir(busy, 0o755); err != nil {
				return Result{}, err
			}
			<-time.After(20 * time.Millisecond)
			return Result{}, os.Remove(busy)
		})
		w.VM = true
		if _, err := r.Do(t.Context(), w, 0); err != nil {
			t.Error(err)
		}
	}
}

// childFail fails when its input ends.
func childFail(t *testing.T, r *Runner) {
	t.Helper()
	_, err := r.Do(t.Context(), work("k", func(_ context.Context, task *Task) (Result, error) {
		fmt.Println("child", task.Job, os.Getpid(), task.Scratch)
		_, err := io.Copy(io.Discard, os.Stdin)
		return Result{}, Fail(ClassConfig, "compose", "edit it", errors.Join(errors.New("bad manifest"), err))
	}), 0)
	if err == nil {
		t.Error("the work did not fail")
	}
}

// A child is a process that a test started.
type child struct {
	cmd          *exec.Cmd
	in           io.WriteCloser
	out          *bufio.Scanner
	job, scratch string
	pid          int // of the program that its job started
}

// startChild starts one; it is killed with the test at the latest.
func startChild(t *testing.T, args ...string) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(args, " "))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &child{cmd: cmd, in: in, out: bufio.NewScanner(out)}
}

// line gives what follows the word in the child's next line with it.
func (c *child) line(t *testing.T, word string) string {
	t.Helper()
	for c.out.Scan() {
		if rest, ok := strings.CutPrefix(c.out.Text(), word+" "); ok {
			return rest
		}
	}
	t.Fatalf("the child ended before it said %q: %v", word, c.out.Err())
	return ""
}

// running waits until the child's job runs.
func (c *child) running(t *testing.T) {
	t.Helper()
	if _, err := fmt.Sscan(c.line(t, "child"), &c.job, &c.pid, &c.scratch); err != nil {
		t.Fatal(err)
	}
}

// wait lets the child end.
func (c *child) wait(t *testing.T) {
	t.Helper()
	var rest bytes.Buffer
	for c.out.Scan() {
		rest.Write(append(c.out.Bytes(), '\n'))
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("child: %v\n%s", err, rest.Bytes())
	}
}

// kill ends the child as kill -9 does.
func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.cmd.Wait() // says that it was killed
}

// sleepTime is how long the program of the process's job sleeps: a name by which
// to find it.
func sleepTime(pid int) string { return fmt.Sprintf("1000.%d", pid) }

// sleepers lists the live processes of the child's job by their command lines.
func (c *child) sleepers(t *testing.T) []string {
	t.Helper()
	var found []string
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		line, err := os.ReadFile(f) // of a process that has ended: empty, or an error
		if err == nil && bytes.Contains(line, []byte("sleep")) && bytes.Contains(line, []byte(sleepTime(c.cmd.Process.Pid))) {
			found = append(found, string(line))
		}
	}
	return found
}

func TestManyProcessesOneRun(t *testing.T) {
	dir := t.TempDir()
	var children []*child
	for range 8 {
		children = append(children, startChild(t, "many", dir))
	}
	for _, c := range children {
		c.wait(t)
	}
	runs, err := os.ReadFile(filepath.Join(dir, "runs"))
	if err != nil || bytes.Count(runs, []byte("\n")) != 1 {
		t.Errorf("runs of 32 callers in 8 processes = %q, %v; want one", runs, err)
	}
	if jobs := newRunner(t, dir, nil).Jobs(); len(jobs) != 1 || jobs[0].State != JobDone {
		t.Errorf("jobs = %+v, want the one that ran", jobs)
	}
	if claims, err := os.ReadDir(filepath.Join(dir, "state", "claims")); err != nil || len(claims) != 0 {
		t.Errorf("claims left = %v, %v", claims, err)
	}
}

func TestTakeOverFromKilledProcess(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, "hang", dir)
	c.running(t)
	r := newRunner(t, dir, nil)
	if info, ok := r.Building("k"); !ok || info.ID != c.job || info.PID != c.cmd.Process.Pid {
		t.Errorf("Building = %+v, %v; want the other process's job %s", info, ok, c.job)
	}
	waits := make(chan struct{})
	var once sync.Once
	ctx := Follow(t.Context(), &Task{Progress: func(phase string, fraction float64) {
		if strings.Contains(phase, c.job) && strings.Contains(phase, "hanging") && fraction == 0.25 {
			once.Do(func() { close(waits) })
		}
	}})
	wait := ask(ctx, r, work("k", func(context.Context, *Task) (Result, error) {
		if left := c.sleepers(t); len(left) != 0 {
			t.Errorf("the dead process's children still run beside the new job: %q", left)
		}
		return Result{Build: "ours"}, nil
	}), 0)
	<-waits
	c.kill(t)
	if res, err := wait(); err != nil || res.Build != "ours" {
		t.Errorf("waiter after the kill got %+v, %v", res, err)
	}
	if info, err := r.Job(c.job); err != nil || info.State != JobFailed || !strings.Contains(info.Error, "died") {
		t.Errorf("the dead process's job = %+v, %v", info, err)
	}
	if _, err := os.Lstat(c.scratch); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its scratch: %v, want fs.ErrNotExist", err)
	}
}

func TestRecover(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	dead, live := startChild(t, "hang", dir), startChild(t, "hang", other)
	dead.running(t)
	live.running(t)
	if n := len(dead.sleepers(t)); n == 0 {
		t.Error("the job's programs can't be found; the test proves nothing")
	}
	dead.kill(t)
	r := newRunner(t, dir, nil)
	if jobs := r.Jobs(); len(jobs) != 1 || jobs[0].State != JobFailed {
		t.Errorf("jobs before Recover = %+v; want one that died", jobs)
	}
	rep, err := r.Recover(t.Context())
	if err != nil || len(rep.Jobs) != 1 || rep.Jobs[0] != dead.job || rep.Killed != 2 {
		t.Errorf("Recover = %+v, %v; want job %s and its two processes", rep, err, dead.job)
	}
	if _, err := os.Lstat(dead.scratch); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("scratch of the dead: %v, want fs.ErrNotExist", err)
	}
	if left := dead.sleepers(t); len(left) != 0 {
		t.Errorf("processes of the dead: %q", left)
	}
	if _, ok := r.Building("k"); ok {
		t.Error("the dead job still builds")
	}

	rep, err = newRunner(t, other, nil).Recover(t.Context())
	if err != nil || len(rep.Jobs) != 0 || rep.Scratch != 0 {
		t.Errorf("Recover beside a live process = %+v, %v; want nothing", rep, err)
	}
	if _, err := os.Lstat(filepath.Join(live.scratch, "d")); err != nil {
		t.Errorf("scratch of the live: %v", err)
	}
	if err := syscall.Kill(live.pid, 0); err != nil {
		t.Errorf("child of the live: %v", err)
	}
	cancelChild(t, other, live)
}

// cancelChild cancels the child's job from this process and sees it end.
func cancelChild(t *testing.T, dir string, c *child) {
	t.Helper()
	if err := newRunner(t, dir, nil).Cancel(c.job); err != nil {
		t.Error(err)
	}
	if got := c.line(t, "end"); got != "true" {
		t.Errorf("the child's Do gave ErrCancelled: %s", got)
	}
	c.wait(t)
	if left := c.sleepers(t); len(left) != 0 {
		t.Errorf("processes of a cancelled job: %q", left)
	}
}

func TestCancelReachesOtherProcesses(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, "hang", dir)
	c.running(t)
	r := newRunner(t, dir, nil)
	waits := make(chan struct{})
	var once sync.Once
	ctx := Follow(t.Context(), &Task{Progress: func(string, float64) { once.Do(func() { close(waits) }) }})
	wait := ask(ctx, r, work("k", func(context.Context, *Task) (Result, error) {
		t.Error("cancelled work was started again")
		return Result{}, nil
	}), 0)
	<-waits
	cancelChild(t, dir, c)
	if _, err := wait(); !errors.Is(err, ErrCancelled) {
		t.Errorf("waiter in another process got %v, want ErrCancelled", err)
	}
}

func TestFailureOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, "fail", dir)
	c.running(t)
	r := newRunner(t, dir, nil)
	waits := make(chan struct{})
	var once sync.Once
	ctx := Follow(t.Context(), &Task{Progress: func(string, float64) { once.Do(func() { close(waits) }) }})
	wait := ask(ctx, r, work("k", func(context.Context, *Task) (Result, error) {
		t.Error("work that had just failed elsewhere was started again")
		return Result{}, nil
	}), 0)
	<-waits
	if err := c.in.Close(); err != nil {
		t.Error(err)
	}
	_, err := wait()
	var job *JobError
	if class, hint := ClassOf(err); class != ClassConfig || hint != "edit it" || !errors.As(err, &job) || job.Job != c.job {
		t.Errorf("waiter got %v (class %q, hint %q), want the failure of job %s", err, class, hint, c.job)
	}
	c.wait(t)
}

func TestMachinesAreBoundedAcrossProcesses(t *testing.T) {
	dir := t.TempDir()
	var children []*child
	for i := range 4 {
		children = append(children, startChild(t, "machine", dir, fmt.Sprint("vm", i)))
	}
	for _, c := range children {
		c.wait(t)
	}
}

func TestFollowLogOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, "hang", dir)
	c.running(t)
	r := newRunner(t, dir, nil)
	out, in := io.Pipe()
	followed := make(chan error, 1)
	go func() {
		err := r.FollowLog(t.Context(), c.job, in, true)
		followed <- errors.Join(err, in.Close())
	}()
	lines := bufio.NewScanner(out)
	for _, want := range []string{"== hanging", "hello from sh"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("log line %q, %v; want %q", lines.Text(), lines.Err(), want)
		}
	}
	cancelChild(t, dir, c)
	if !lines.Scan() || lines.Text() != "== cancelled: cancelled" {
		t.Errorf("last line %q; want the end", lines.Text())
	}
	for lines.Scan() {
	}
	if err := <-followed; err != nil {
		t.Errorf("FollowLog = %v", err)
	}
	if err := r.FollowLog(t.Context(), "../../etc", io.Discard, false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("FollowLog of no job = %v, want fs.ErrNotExist", err)
	}
}
