package guest

import (
	"context"
	"errors"

	"cosafs/materialize/disk/install"
)

// A Job is one of those that the guest does.
type Job struct {
	// Install writes a base disk to [TargetDisk] from [RepoDisk]; the answer is an
	// [install.Result].
	Install *install.Job `json:"install,omitempty"`
	// Osmet packs [SourceDisk] to [TargetDisk]; the answer is a [Packed].
	Osmet *Osmet `json:"osmet,omitempty"`
}

// Serials of the disks that a job works with.
const (
	RepoDisk   = "repo"   // an ext4 whose root is a bare-user OSTree repository that has Commit, and Ref for it
	SourceDisk = "osmet"  // the disk of a system
	TargetDisk = "target" // takes what the job makes
)

// run gives the job's answer.
func (j Job) run(ctx context.Context, tell *teller) (any, error) {
	switch {
	case j.Install != nil:
		return newSteps(j.Install, tell).run(ctx)
	case j.Osmet != nil:
		return (&packing{programs: programs{tell: tell, time: j.Osmet.Time}, job: j.Osmet}).run(ctx)
	}
	return nil, errors.New("the host sent no job that this guest knows")
}
