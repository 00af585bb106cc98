package fetch

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"cosafs/index"
	"cosafs/materialize"
)

// A choice is the build to fetch, and for which architectures. The zero choice
// is that of an empty list.
type choice struct {
	id     index.BuildID
	arches []index.Arch
	kept   index.Cleanup
}

// choose finds the build and its architectures in the store's list.
func choose(list *index.Builds, o Options) (choice, error) {
	id, err := chooseBuild(list, o)
	if err != nil || id == "" {
		return choice{}, err
	}
	entry, ok := list.Entry(id)
	if !ok || !usable(id) {
		return choice{}, lacking("build "+string(id), o.URL, ids(list))
	}
	arches, err := chooseArches(entry, o)
	return choice{id: id, arches: arches, kept: entry.Cleanup}, err
}

// usable says whether a build's name means nothing else in builds/.
func usable(id index.BuildID) bool {
	return id != "latest" && id != index.BuildID(listFile) && !strings.HasPrefix(string(id), ".")
}

// chooseBuild gives "" for the newest build of an empty list.
func chooseBuild(list *index.Builds, o Options) (index.BuildID, error) {
	newest := o.Build == "" || o.Build == "latest"
	switch {
	case !o.FindBuildForArch && newest:
		return list.Latest(), nil
	case !o.FindBuildForArch:
		return index.BuildID(o.Build), nil
	case !newest, len(o.Arches) > 1, slices.Contains(o.Arches, All):
		return "", materialize.Fail(materialize.ClassConfig, "fetch from "+o.URL, "give one --arch and no --build",
			materialize.Says(fs.ErrInvalid, "the newest build of an architecture can be found for one architecture only"))
	}
	want := append(slices.Clone(o.Arches), o.Arch)[0]
	id := list.LatestFor(index.Arch(want))
	if id == "" {
		return "", lacking("build for "+want, o.URL, arches(list))
	}
	return id, nil
}

func chooseArches(e index.Entry, o Options) ([]index.Arch, error) {
	if slices.Contains(o.Arches, All) {
		return e.Arches, nil
	}
	want := o.Arches
	if len(want) == 0 {
		want = []string{o.Arch}
	}
	var chosen []index.Arch
	for _, name := range want {
		a := index.Arch(name)
		if !slices.Contains(e.Arches, a) {
			return nil, lacking(fmt.Sprintf("build %s for %s", e.ID, name), o.URL, e.Arches)
		}
		if !slices.Contains(chosen, a) {
			chosen = append(chosen, a)
		}
	}
	return chosen, nil
}

// chooseImages picks the images of a build, in the order of meta.json or of the
// request.
func chooseImages(what string, m *index.Meta, o Options) ([]index.Image, error) {
	if slices.Contains(o.Artifacts, All) {
		return m.Images(), nil
	}
	var chosen []index.Image
	for i, kind := range o.Artifacts {
		im, ok := m.Image(index.Kind(kind))
		if !ok {
			return nil, lacking(kind+" of "+what, o.URL, kinds(m))
		}
		if !slices.Contains(o.Artifacts[:i], kind) {
			chosen = append(chosen, im)
		}
	}
	return chosen, nil
}

func ids(list *index.Builds) []index.BuildID {
	var all []index.BuildID
	for _, e := range list.Entries() {
		all = append(all, e.ID)
	}
	return all
}

func arches(list *index.Builds) []index.Arch {
	var all []index.Arch
	for _, e := range list.Entries() {
		all = append(all, e.Arches...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func kinds(m *index.Meta) []index.Kind {
	var all []index.Kind
	for _, im := range m.Images() {
		all = append(all, im.Kind)
	}
	return all
}

// lacking says that a store has no such thing, and what it has instead.
func lacking[T any](what, url string, has []T) error {
	return materialize.Fail(materialize.ClassConfig, "fetch "+what, "there is: "+enumerate(has),
		materialize.Says(fs.ErrNotExist, "%s has none", url))
}

// enumerate lists the first few of many.
func enumerate[T any](all []T) string {
	const most = 12
	if len(all) == 0 {
		return "nothing"
	}
	var shown []string
	for _, s := range all[:min(most, len(all))] {
		shown = append(shown, fmt.Sprint(s))
	}
	text := strings.Join(shown, ", ")
	if more := len(all) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
