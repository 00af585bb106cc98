package stream

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"cosafs/index"
	"cosafs/materialize"
)

// Plan implements [webui.Service].
func (s *Stream) Plan(_ context.Context, path string) (materialize.Plan, error) {
	it, err := s.parse(path)
	if err != nil {
		return materialize.Plan{}, err
	}
	return s.plan(it), nil
}

// plan says what opening an item would do now, and why. It asks no store.
func (s *Stream) plan(it item) materialize.Plan {
	p := materialize.Plan{Target: it.target(), State: it.State, Reason: it.Reason}
	switch it.State {
	case materialize.StateCached:
		p.Reason = "all of it is in the cache"
		p.Steps = []materialize.Step{{Do: "read", What: it.Name, Why: "it was read before", Key: it.workKey(), Done: true}}
	case materialize.StateRemote:
		p.Reason = it.file.src.name + " has it; what is read of it comes from there"
		p.Steps = s.steps(it)
	}
	s.planJob(it, &p)
	p.Steps = append(p.Steps, s.notFrom(it)...)
	return p
}

// steps says how a remote item is read.
func (s *Stream) steps(it item) []materialize.Step {
	state := s.cache.State(it.file.blob().ID)
	read := materialize.Step{
		Do: "read", What: string(it.file.key) + " of " + it.file.src.name, Done: state.Complete,
		Why: fmt.Sprintf("%d of %d bytes are in the cache", state.Present, it.file.size),
	}
	if it.file.size < 0 {
		read.Why = "the store tells its size when it is opened"
	}
	if it.packed == "" {
		return []materialize.Step{read}
	}
	return []materialize.Step{read, {
		Do: "unpack", What: it.Name + " into the cache", Key: it.workKey(), Why: "meta.json records it compressed with " + it.packed,
	}}
}

// planJob adds the job that is at it, or that failed.
func (s *Stream) planJob(it item, p *materialize.Plan) {
	if it.file.src == nil || it.State == materialize.StateCached {
		return
	}
	if job, ok := s.runner.Building(it.workKey()); ok {
		p.State, p.Job = materialize.StateBuilding, job.ID
		p.Reason = strings.TrimSuffix(fmt.Sprintf("job %s is at it: %s", job.ID, job.Phase), ": ")
		return
	}
	if rec, ok := s.runner.Memory().Failure(it.workKey()); ok && it.packed != "" && time.Now().Before(rec.Until) {
		p.State, p.Job, p.Reason = materialize.StateFailed, rec.Job, rec.Op+": "+rec.Message
	}
}

// notFrom says why the item does not come from the other stores.
func (s *Stream) notFrom(it item) []materialize.Step {
	var steps []materialize.Step
	first := s.current().builds[it.Build].arch(it.Arch)
	for _, src := range s.sources {
		if first == nil || src == first.src {
			continue
		}
		steps = append(steps, materialize.Step{
			Do: "not from", What: src.name, Why: s.whyNot(src, first), Done: true,
		})
	}
	return steps
}

func (s *Stream) whyNot(src *source, first *arch) string {
	_, err := s.catalog.Arch(src.name, first.id, first.record)
	problem := src.asking().problem
	switch {
	case err == nil:
		return "it has the build, too, but " + first.src.name + " comes first"
	case problem != nil:
		return "nothing is known of this build there, and it can't be asked: " + problem.Error()
	case isAbsent(err):
		return "it does not have the build for " + first.name
	}
	return err.Error()
}

// parse finds what a path of the tree names: BUILD/ARCH/NAME, where NAME is a
// kind, a short name or a file name, BUILD may be latest, and missing parts are
// this machine's architecture and the latest build.
func (s *Stream) parse(path string) (item, error) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	build, arch := "latest", s.cfg.Arch
	switch len(parts) {
	case 1:
	case 2:
		build = parts[0]
	case 3:
		build, arch = parts[0], parts[1]
	default:
		return item{}, badPath(path)
	}
	if build == materialize.Next {
		return item{}, errNoWorkdir("make " + path)
	}
	id, err := s.resolveID(build)
	if err != nil {
		return item{}, err
	}
	if _, err := s.find(id, arch); err != nil {
		return item{}, s.explainBuild(id, arch, err)
	}
	return s.parseName(id, arch, parts[len(parts)-1], path)
}

// parseName finds a kind, a short name or a file. Of a kind it is the file that
// can be used: the one that is not compressed.
func (s *Stream) parseName(id, arch, name, path string) (item, error) {
	it, err := s.resolve(id, arch, name)
	if !isAbsent(err) {
		return it, err
	}
	rec, err := s.find(id, arch)
	if err != nil {
		return item{}, err
	}
	for _, it := range slices.Backward(s.items(rec)) {
		if it.Kind == name && name != "" {
			return it, nil
		}
	}
	if _, short := index.KindOfShort(name); short || slices.Contains(index.Kinds(), index.Kind(name)) {
		return item{}, materialize.Fail(materialize.ClassConfig, "find "+path, "see what there is with: cosafs show "+id,
			materialize.Says(fs.ErrNotExist, "build %s has no %s for %s", id, name, arch))
	}
	return item{}, badPath(path)
}

func badPath(path string) error {
	return materialize.Fail(materialize.ClassConfig, "find artifact", "name one as in the tree, such as latest/x86_64/qemu.qcow2",
		materialize.Says(fs.ErrInvalid, "none is called %q", path))
}
