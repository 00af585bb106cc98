package gc

import (
	"slices"
	"strings"

	"cosafs/backend"
	"cosafs/index"
)

// leftovers condemns what no list names: directories of builds, or of
// architectures of a build, that are not listed.
func (c *collector) leftovers() {
	tombs := map[string]index.Entry{}
	for _, e := range c.list.Tombstones() {
		tombs[string(e.ID)] = e
	}
	for id, objects := range c.objects {
		tomb, dead := tombs[id]
		switch {
		case c.leased[id] || slices.Contains(c.Roots, id) || chosen(c.doomed, id):
		case c.list.Has(index.BuildID(id)):
			c.unlistedArches(id, objects)
		case dead:
			c.condemn(id, c.remains(tomb, objects), "its build was deleted earlier")
		default:
			c.orphan(id, id, objects)
		}
	}
	slices.Sort(c.report.Notes)
}

// remains gives what is left of a build that was deleted, and no longer may be
// somebody's upload: what was there when the list was last saved was meant to go
// with the build.
func (c *collector) remains(tomb index.Entry, objects []backend.Info) []backend.Info {
	return slices.DeleteFunc(slices.Clone(objects), func(info backend.Info) bool {
		meant := info.ModTime.Before(c.saved) && !otherArch(tomb, info.Key)
		return !meant && !c.old(info)
	})
}

// old says whether an object is beyond the grace period.
func (c *collector) old(info backend.Info) bool { return c.now.Sub(info.ModTime) > c.Policy.Grace }

// unlistedArches looks at a listed build for architectures that the list does not
// name. Files beside the architectures belong to the build.
func (c *collector) unlistedArches(id string, objects []backend.Info) {
	listed := c.list.Arches(index.BuildID(id))
	byArch := map[string][]backend.Info{}
	for _, info := range objects {
		if arch, _, below := strings.Cut(strings.TrimPrefix(string(info.Key), id+"/"), "/"); below && !slices.Contains(listed, index.Arch(arch)) {
			byArch[arch] = append(byArch[arch], info)
		}
	}
	for arch, objects := range byArch {
		c.orphan(id, id+"/"+arch, objects)
	}
}

// orphan condemns a directory that no list names, if it is a build's and nobody
// can be uploading it.
func (c *collector) orphan(id, dir string, objects []backend.Info) {
	switch {
	case !looksLikeBuild(id, objects):
		c.note("%s/ stays: it does not look like a build", dir)
	case slices.ContainsFunc(objects, func(info backend.Info) bool { return !c.old(info) }):
		// Somebody may be at work there, also on what is old.
	case isBuild(objects) && !c.Policy.Unlisted:
		c.note("%s/ stays: it is a whole build that builds.json does not name", dir)
	default:
		c.condemn(id, objects, "no list names it")
	}
}

// looksLikeBuild keeps gc away from directories of other things that happen to
// lie beside the builds: cosa's names have the build id in them.
func looksLikeBuild(id string, objects []backend.Info) bool {
	return isBuild(objects) || slices.ContainsFunc(objects, func(info backend.Info) bool {
		name := info.Key.Base()
		return strings.Contains(name, "-"+id+"-") || name == "commitmeta.json" || name == "ostree-commit-object"
	})
}

// isBuild says whether there is a meta.json at the place of a build's.
func isBuild(objects []backend.Info) bool {
	return slices.ContainsFunc(objects, func(info backend.Info) bool {
		return info.Key.Base() == metaFile && strings.Count(string(info.Key), "/") == 2
	})
}
