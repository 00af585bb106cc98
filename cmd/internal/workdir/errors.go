package workdir

import (
	"io/fs"

	"cosafs/materialize"
)

// noBuild says that builds.json names no such build.
func noBuild(id string) error {
	return materialize.Fail(materialize.ClassConfig, "find build "+id, "see the builds with: cosafs list",
		materialize.Says(fs.ErrNotExist, "there is none of this name"))
}
