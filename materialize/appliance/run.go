package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
)

// A Disk is a file that the guest sees as a disk. Inside, it is found by its
// serial under /sys/block/*/serial.
type Disk struct {
	Serial   string // up to 20 bytes
	Path     string // a raw image
	ReadOnly bool
	Sector   int // bytes, 512 or 4096; 0 = 512
}

// A Run says what to do in a virtual machine. Only Job is needed.
type Run struct {
	Job     any // sent to the guest as JSON
	Disks   []Disk
	Memory  int           // MiB; 0 = 2048, as cosa has it
	CPUs    int           // 0 = as many as there are here, at most 16, as cosa has it
	Boot    time.Duration // an emulated guest that isn't up after this long is started once more; 0 = 1 min
	Idle    time.Duration // the guest, once up, is given up after this long without an event; 0 = 3 min
	Console string        // path of a file that takes the guest's console; "" = in the task's scratch
}

const runOp = "run virtual machine"

// How long a guest may take to come up: some five seconds where nothing else runs,
// even emulated, but machines may be busy. An emulated one with several CPUs stands
// still now and then as it boots, whatever it is given; started again, it doesn't.
const (
	bootTime  = 3 * time.Minute
	firstTime = time.Minute
)

// How a virtual machine may end without an answer of the guest; the failures
// of ClassVM wrap one of them.
var (
	ErrSilent = errors.New("no sign of life")
	ErrDied   = errors.New("the virtual machine ended without a result")
	errNotUp  = errors.New("the guest did not come up")
)

// Run boots the appliance, gives it the job and calls onEvent for each event,
// one at a time. It returns the guest's result when qemu has ended; what the guest
// wrote to its disks is then in their files. Ctx's end kills qemu at once, and
// our own end, whatever its kind, does too.
//
// Failures: ClassGuest with what the guest says; ClassVM if it died or hung;
// ClassSpace if a disk's file could not grow; ClassTool without qemu.
func (a *Appliance) Run(ctx context.Context, r Run, t *materialize.Task, onEvent func(Event)) (json.RawMessage, error) {
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		return nil, materialize.Fail(materialize.ClassTool, runOp, "apt-get install qemu-system-x86", err)
	}
	s := &session{appliance: a, run: r.withDefaults(t), task: t, qemu: qemu, onEvent: onEvent}
	if !kvmAllowed() {
		return s.emulate(ctx)
	}
	question, err := a.ask(ctx, qemu)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", runOp, err)
	}
	works, known := a.recall(question)
	switch {
	case known && works:
		return s.boot(ctx, kvm, bootTime)
	case known:
		return s.emulate(ctx)
	}
	return s.probe(ctx, question)
}

// A session is one call of Run.
type session struct {
	appliance *Appliance
	run       Run
	task      *materialize.Task
	qemu      string // its path
	onEvent   func(Event)
	up        bool // the guest came up
}

// probe does the job under KVM, falls back to emulation if the guest doesn't
// come up in time, and remembers which of them it was.
func (s *session) probe(ctx context.Context, question probe) (json.RawMessage, error) {
	result, err := s.boot(ctx, kvm, probeTime)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if kerr := s.appliance.remember(question, s.up); kerr != nil {
		s.task.Logf("kvm: cannot remember whether it works: %v", kerr)
	}
	if s.up {
		return result, err
	}
	s.task.Logf("kvm: does not run the appliance, emulating from now on: %v", err)
	return s.emulate(ctx)
}

// emulate does the job under emulation, and starts a guest that stands still once more:
// one that isn't up hasn't touched its disks.
func (s *session) emulate(ctx context.Context) (json.RawMessage, error) {
	result, err := s.boot(ctx, tcg, s.run.Boot)
	if s.up || ctx.Err() != nil || !errors.Is(err, errNotUp) {
		return result, err
	}
	s.task.Logf("the virtual machine is started again: %v", err)
	return s.boot(ctx, tcg, bootTime)
}

// boot does the job in one virtual machine, which has to come up in time.
func (s *session) boot(ctx context.Context, with accel, in time.Duration) (json.RawMessage, error) {
	life, kill := context.WithCancel(ctx)
	defer kill()
	v, err := start(life, s.task, s.qemu, append(with.args(), s.appliance.args(s.run)...))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", runOp, err)
	}
	result, err := v.follow(ctx, s, in)
	if err != nil {
		kill() // a guest that has answered ends by itself
	}
	said := v.wait(kill)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, s.explain(err, said)
	}
	return result, nil
}

func (r Run) withDefaults(t *materialize.Task) Run {
	if r.Memory == 0 {
		r.Memory = 2048
	}
	if r.CPUs == 0 {
		r.CPUs = min(runtime.NumCPU(), 16)
	}
	if r.Boot == 0 {
		r.Boot = firstTime
	}
	if r.Idle == 0 {
		r.Idle = bootTime
	}
	if r.Console == "" {
		r.Console = filepath.Join(t.Scratch, "console.txt")
	}
	return r
}

// args is qemu's command line but for what start adds. The guest trusts its timer:
// emulated on a busy host it looks broken, and the kernel would panic. The disks' caches are
// unsafe because a base disk counts only when it's complete, and is synced then.
func (a *Appliance) args(r Run) []string {
	args := []string{
		"-machine", "pc", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none",
		"-smp", strconv.Itoa(r.CPUs), "-m", strconv.Itoa(r.Memory),
		"-kernel", filepath.Join(a.Dir, "kernel"), "-initrd", filepath.Join(a.Dir, "initrd"),
		"-append", "console=ttyS0 root=/dev/vda quiet loglevel=3 panic=-1 random.trust_cpu=on mitigations=off no_timer_check",
		"-serial", "file:" + escape(r.Console),
		"-drive", "file=" + escape(filepath.Join(a.Dir, "root")) + ",format=raw,if=none,id=root,snapshot=on,cache=unsafe",
		"-device", "virtio-blk-pci,drive=root,serial=root",
	}
	for _, d := range r.Disks {
		args = append(args, d.args()...)
	}
	return args
}

func (d Disk) args() []string {
	sector := strconv.Itoa(max(d.Sector, 512))
	drive := "file=" + escape(d.Path) + ",format=raw,if=none,id=" + d.Serial
	if d.ReadOnly {
		drive += ",readonly=on"
	} else {
		// werror=enospc: see monitor.
		drive += ",cache=unsafe,discard=unmap,detect-zeroes=unmap,werror=enospc"
	}
	return []string{
		"-drive", drive, "-device", "virtio-blk-pci,drive=" + d.Serial + ",serial=" + d.Serial +
			",logical_block_size=" + sector + ",physical_block_size=" + sector,
	}
}

// escape doubles commas, which end an option's value.
func escape(path string) string {
	var b []byte
	for _, c := range []byte(path) {
		if c == ',' {
			b = append(b, ',')
		}
		b = append(b, c)
	}
	return string(b)
}

// explain makes a Failure of what ended a virtual machine too early. said is
// what qemu printed.
func (s *session) explain(err error, said string) error {
	var g guestError
	switch {
	case errors.As(err, &g):
		return materialize.Fail(materialize.ClassGuest, runOp, "the job's log says what the guest did", err)
	case errors.Is(err, unix.ENOSPC):
		return materialize.Fail(materialize.ClassSpace, runOp, "free space where the build directory lies", err)
	case errors.Is(err, ErrSilent):
		err = fmt.Errorf("%w for %v", err, s.run.Idle)
	case errors.Is(err, errNotUp):
		err = fmt.Errorf("%w: %w", ErrSilent, err)
	}
	if said != "" {
		err = fmt.Errorf("%w; qemu: %s", err, said)
	}
	if console := tailOf(s.run.Console); console != "" {
		err = fmt.Errorf("%w; console: %s", err, console)
	}
	return materialize.Fail(materialize.ClassVM, runOp, "try again; if it stays, give the virtual machine more memory", err)
}
