// Package appliance keeps and runs the helper virtual machine: a small Debian
// root made by supermin from the packages of this machine, with our own
// program as its init. It knows nothing of what a job does: a job goes in as
// JSON, events come out while it runs, and a result or an error ends it.
//
// What runs inside is package guest.
package appliance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"cosafs/materialize"
)

// A Config says what the appliance is made of. Only Dir is needed.
type Config struct {
	// Dir keeps appliances and what was learnt about this machine. Several
	// processes may share it.
	Dir string
	// Program becomes the guest's init; "" is the running program. It should be
	// static, though one that needs no more than libc works too.
	Program string
	// Packages go inside with all that they depend on; nil = [Packages].
	Packages []string
	// Kernel is a distribution kernel whose modules are installed; "" = the
	// newest one that suits. The running kernel is often of no use: it may have
	// no modules.
	Kernel string
}

// An Appliance is a kernel, an initrd and a root that qemu boots. It is never
// written to, and safe for concurrent use.
type Appliance struct {
	Dir    string // holds kernel, initrd and root
	memory string // of what is known about KVM here
}

// keep is how many appliances stay: the newest, and the one before it, which a
// virtual machine of another process may be about to open.
const keep = 2

// Prepare gives the appliance for this machine's packages, kernel and program,
// and builds it if it isn't there, which takes some seconds. Failures are of
// ClassTool (no supermin, no kernel) and ClassSpace.
func Prepare(ctx context.Context, c Config, t *materialize.Task) (*Appliance, error) {
	c, err := c.resolve()
	if err != nil {
		return nil, err
	}
	key, err := c.key()
	if err != nil {
		return nil, fmt.Errorf("appliance: %w", err)
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("appliance: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(c.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("appliance: %w", err)
	}
	defer unlock()
	a := &Appliance{Dir: filepath.Join(c.Dir, key), memory: filepath.Join(c.Dir, "kvm.json")}
	if touch(a.Dir) == nil {
		return a, nil
	}
	t.Phase("appliance", -1)
	if err := c.build(ctx, a.Dir, t); err != nil {
		return nil, err
	}
	if err := prune(c.Dir, keep); err != nil {
		t.Logf("appliance: old ones stay: %v", err)
	}
	return a, nil
}

// touch marks an appliance as used now; it fails if there is none.
func touch(dir string) error {
	now := time.Now()
	return os.Chtimes(dir, now, now)
}
