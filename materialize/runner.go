package materialize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// errClosing is why jobs end when their process does. Another process that
// waited for one of them does the work itself.
var errClosing = fmt.Errorf("%w: the process that did it is stopping", ErrCancelled)

// RunnerConfig says where a [Runner] keeps its state and what it may use.
type RunnerConfig struct {
	// StateDir holds claims, job folders and the memory: <workdir>/cache/cosafs.
	StateDir string
	// ScratchDir holds one directory for each running job: <workdir>/tmp/cosafs.
	// It must be on the file system that results are renamed to.
	ScratchDir string
	// SlotDir holds the slot files of virtual machines. Processes that share it
	// share the bound. "" = StateDir.
	SlotDir string
	// VMs bounds the virtual machines of all processes that share SlotDir.
	// 0 = one for every two processors, at least one.
	VMs int
	// Memory keeps failures and sizes; nil = a [FileMemory] in StateDir.
	Memory Memory
	// Free gives the bytes that an unprivileged process may still write at path;
	// nil asks the file system.
	Free func(path string) (int64, error)
	// Keep is how many ended jobs are remembered with their logs; 0 = 50.
	Keep int
	// Log gets what no caller can be told; nil discards it.
	Log *slog.Logger
}

// A Runner does each [Work] once, however many goroutines and processes of this
// machine ask for it. It is safe for concurrent use.
//
// Time is the time package's: tests run it in a testing/synctest bubble.
type Runner struct {
	cfg RunnerConfig
	hub hub
	ids idSource

	mu     sync.Mutex
	closed bool
	// flights are the works that new callers may join; live has those as well
	// whose end is decided but not reached.
	flights map[string]*flight
	live    map[*flight]struct{}
}

// NewRunner makes the directories that it needs and starts nothing. Call
// [Runner.Recover] once before the first job, and [Runner.Close] at the end.
func NewRunner(cfg RunnerConfig) (*Runner, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("new runner: %w", err)
	}
	return &Runner{
		cfg:     cfg,
		flights: map[string]*flight{},
		live:    map[*flight]struct{}{},
	}, nil
}

// complete fills in the defaults and makes the directories. Paths become
// absolute and free of links, since the kernel names mount points that way.
func (c *RunnerConfig) complete() error {
	if c.SlotDir == "" {
		c.SlotDir = c.StateDir
	}
	for _, dir := range []*string{&c.StateDir, &c.ScratchDir, &c.SlotDir} {
		real, err := makeRealDir(*dir)
		if err != nil {
			return err
		}
		*dir = real
	}
	for _, name := range []string{"claims", "jobs"} {
		if err := os.MkdirAll(filepath.Join(c.StateDir, name), 0o755); err != nil {
			return err
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.VMs <= 0 {
		c.VMs = max(1, runtime.NumCPU()/2)
	}
	if c.Keep <= 0 {
		c.Keep = 50
	}
	if c.Free == nil {
		c.Free = freeBytes
	}
	if c.Memory == nil {
		mem, err := OpenFileMemory(filepath.Join(c.StateDir, "memory"), c.Log)
		if err != nil {
			return err
		}
		c.Memory = mem
	}
	return nil
}

// makeRealDir makes a directory and gives its absolute path without links.
func makeRealDir(dir string) (string, error) {
	if dir == "" {
		return "", fmt.Errorf("no state or scratch directory given: %w", fs.ErrInvalid)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// Memory is where the runner remembers failures and sizes.
func (r *Runner) Memory() Memory { return r.cfg.Memory }

// Close cancels every job of this process and waits until they have cleaned up
// or ctx ends. [Runner.Do] gives fs.ErrClosed afterwards.
func (r *Runner) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	var ending []*flight
	for f := range r.live {
		ending = append(ending, f)
	}
	clear(r.flights)
	r.mu.Unlock()
	for _, f := range ending {
		f.cancel(errClosing)
	}
	var err error
	for _, f := range ending {
		select {
		case <-f.done:
		case <-ctx.Done():
			err = fmt.Errorf("job %s has not ended yet: %w", f.snapshot().ID, context.Cause(ctx))
		}
	}
	r.hub.close()
	return err
}

// Do gives the work's result: the one that exists already, else that of the one
// job that makes it, which is started if there is none. In order, it asks
// w.Done, the remembered failure of w.Key, a job of this process, and the claim
// that a job of another process of this machine holds.
//
// The job doesn't depend on ctx. When ctx ends, Do gives its cause at once, and
// the caller still counts as waiting for linger (0 = no longer, negative = for
// ever); a job whose own end is the cause does not. The job's ctx ends with [ErrAbandoned] when nobody counts any more.
//
// A failed job's error is a [JobError] around a [Failure]; the same inputs give
// the same error, with no new attempt, until it expires or [Runner.Retry]. A
// cancelled job gives everybody [ErrCancelled]. An error of w.Done is returned
// as it is and starts nothing: the absence of a result has to be proven.
//
// Work may call Do for another key with its own ctx; see [Follow]. Work with a
// virtual machine must not wait for other work with one.
func (r *Runner) Do(ctx context.Context, w Work, linger time.Duration) (Result, error) {
	if err := checkWork(ctx, w); err != nil {
		return Result{}, err
	}
	asked := time.Now()
	if res, ok, err := w.Done(ctx); ok || err != nil {
		return res, err
	}
	if rec, ok := r.cfg.Memory.Failure(w.Key); ok && asked.Before(rec.Until) {
		return Result{}, rec.err(w.Key)
	}
	f, err := r.join(ctx, w, asked)
	if err != nil {
		return Result{}, err
	}
	unfollow := f.follow(followerOf(ctx))
	defer unfollow()
	select {
	case <-f.done:
		r.leave(f, 0)
		return f.res, f.err
	case <-ctx.Done():
		r.leave(f, lingerOf(ctx, linger))
		return Result{}, fmt.Errorf("wait for %s of %s: %w", w.Title, w.Target, context.Cause(ctx))
	}
}

// checkWork refuses what could only deadlock or write outside its directory.
func checkWork(ctx context.Context, w Work) error {
	if !validName(w.Key) {
		return fmt.Errorf("work key %q: %w", w.Key, fs.ErrInvalid)
	}
	if w.VM && holdsVM(ctx) {
		return Fail(ClassInternal, w.Title, "", errors.New("a job with a virtual machine waits for another one"))
	}
	return nil
}
