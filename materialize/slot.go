package materialize

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// takeSlot waits for one of the machine's slots for virtual machines, if the
// work needs one. Slots are locked files, so a killed process gives its back.
func (f *flight) takeSlot(ctx context.Context) (release func(), err error) {
	if !f.w.VM {
		return func() {}, nil
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		lock, err := f.r.tryVMSlot()
		if err == nil {
			return func() { _ = lock.Close() }, nil // an empty file: nothing to lose
		}
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("take a virtual machine slot: %w", err)
		}
		f.progress("waiting for a virtual machine slot", -1)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tryVMSlot locks one of the files vm.0, vm.1 and so on; errLocked if none is free.
func (r *Runner) tryVMSlot() (lockFile, error) {
	for i := range r.cfg.VMs {
		lock, err := tryLock(filepath.Join(r.cfg.SlotDir, fmt.Sprintf("vm.%d", i)))
		if !errors.Is(err, errLocked) {
			return lock, err
		}
	}
	return lockFile{}, errLocked
}
