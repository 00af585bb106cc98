// Package materialize knows how missing bytes come to exist: a [Target] names
// the bytes somebody wants, [Plan] says what has to be done and why, a job does
// it once however many ask, and its result is published into the build
// directory.
//
// The package holds the vocabulary and the machinery. The work itself is done
// by the packages below it, which implement the interfaces declared here:
// compose is a [Composer], disk a [DiskWriter]. What the build directory
// remembers is reached through [Records]. Nothing here knows about a kernel, a
// file system door or HTTP.
package materialize

import (
	"fmt"
	"slices"
	"strings"
)

// Next is the build id of the build that the configuration would give now.
const Next = "next"

// NamesBuild says whether a build may have the name in the tree: others mean
// something else beside the builds, or are hidden there. Lists of builds are data
// of others.
func NamesBuild(id string) bool {
	return !strings.HasPrefix(id, ".") && !slices.Contains([]string{Next, "latest", "builds.json"}, id)
}

// A Target names bytes: one artifact of one build for one architecture.
type Target struct {
	Build string `json:"build"` // a build id, or [Next]
	Arch  string `json:"arch"`  // RPM basearch, such as x86_64
	Kind  string `json:"kind"`  // key in meta.json's images, such as qemu; "ostree" is the commit itself; see [PackedKind]
}

// String gives the target as a path below the mount, such as next/x86_64/qemu.
func (t Target) String() string { return fmt.Sprintf("%s/%s/%s", t.Build, t.Arch, t.Kind) }

// A State says where the bytes of a target are. Doors show it as the extended
// attribute user.cosafs.state.
type State string

// The states that an artifact can be in.
const (
	StateLocal     State = "local"     // complete in the build directory
	StateCached    State = "cached"    // complete in the cache
	StateRemote    State = "remote"    // in a store, streamed when read
	StateView      State = "view"      // computed from other bytes when read
	StateBuildable State = "buildable" // exists nowhere; opening it builds it
	StateBuilding  State = "building"  // a job is making it now
	StateGone      State = "gone"      // recorded, deleted since, cannot be made again as it was
	StateFailed    State = "failed"    // the last job failed; see Reason
	StateUnknown   State = "unknown"   // a store could not be asked; absence is not proven
)
