package gc

import (
	"slices"

	"cosafs/index"
)

// amend changes the list as it is by now.
func (c *collector) amend(list *index.Builds) (spared map[index.BuildID]bool, changed bool, err error) {
	spared = map[index.BuildID]bool{}
	tagged := map[index.BuildID]bool{}
	for _, t := range list.Tags() {
		tagged[t.Target] = true
	}
	for _, e := range c.doomed {
		now, ok := list.Entry(e.ID)
		switch {
		case !ok: // another run was faster
		case tagged[e.ID], !slices.Equal(now.Arches, e.Arches):
			spared[e.ID] = true
		default:
			list.Tombstone(e.ID)
			changed = true
		}
	}
	for _, e := range c.cleaned {
		now, ok := list.Entry(e.ID)
		if !ok || tagged[e.ID] || !slices.Equal(now.Arches, e.Arches) {
			spared[e.ID] = true
			continue
		}
		if err := list.SetCleanup(e.ID, e.Cleanup); err != nil {
			return nil, false, err
		}
		changed = true
	}
	return spared, changed, nil
}
