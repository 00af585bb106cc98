// Package guest is the code that runs inside the appliance as its init: it
// makes the machine usable, reads one job from the host, does it while telling
// what happens, answers, and ends the machine.
//
// What it can do is in [Job].
package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"cosafs/materialize/appliance"
)

// ErrNotInit means that this isn't an appliance.
var ErrNotInit = errors.New("guest: runs as the appliance's init only")

// IsInit says whether the program was started as the appliance's init. A
// container's first process, which has pid 1 too, has another name.
func IsInit() bool { return os.Getpid() == 1 && filepath.Base(os.Args[0]) == "init" }

// Main does the job that the host sends, and restarts the machine, which ends
// qemu. It returns only if it can't do that. What can't be told to the host
// goes to the console.
func Main(ctx context.Context) error {
	if !IsInit() {
		return ErrNotInit
	}
	err := serve(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
	}
	unix.Sync()
	return errors.Join(err, unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART))
}

// serve talks with the host until the job has ended.
func serve(ctx context.Context) error {
	if err := setUp(ctx); err != nil {
		return err
	}
	port, err := openPort(appliance.Port)
	if err != nil {
		return err
	}
	tell := &teller{out: json.NewEncoder(port)}
	if err := tell.send(appliance.Event{Up: true}); err != nil {
		return err
	}
	var job Job
	if err := json.NewDecoder(port).Decode(&job); err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	result, err := perform(ctx, job, tell)
	if err != nil {
		return tell.send(appliance.Event{Error: err.Error()})
	}
	answer, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return tell.send(appliance.Event{Result: answer})
}

// perform does the job with a heartbeat beside it.
func perform(ctx context.Context, job Job, tell *teller) (any, error) {
	ctx, stop := context.WithCancel(ctx)
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		tell.beat(ctx, 10*time.Second)
	}()
	defer func() { <-beating }()
	defer stop()
	return job.run(ctx, tell)
}
