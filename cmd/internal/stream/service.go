package stream

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"

	"cosafs/materialize"
	"cosafs/vfs"
	"cosafs/vfs/webui"
)

// Builds implements [webui.Service].
func (s *Stream) Builds(context.Context) ([]webui.BuildInfo, error) {
	f := s.current()
	if err := s.neverAsked(f); err != nil {
		return nil, err
	}
	infos := make([]webui.BuildInfo, len(f.snap.Builds))
	for i := range f.snap.Builds {
		ref := f.ref(&f.snap.Builds[i])
		infos[i] = s.info(ref, s.archFor(ref))
	}
	return infos, nil
}

// neverAsked says why there is nothing to show: no store ever answered.
func (s *Stream) neverAsked(f *facts) error {
	if f.snap.Serial > 0 {
		return nil
	}
	for _, src := range s.sources {
		if err := src.silent(); err != nil {
			return storeFailure("list builds", src, err)
		}
	}
	return nil
}

// ref describes a build of the tree.
func (f *facts) ref(b *vfs.Build) materialize.BuildRef {
	ref := materialize.BuildRef{ID: b.ID, Time: b.Time, Tags: f.tags[b.ID]}
	for _, a := range b.Arches {
		ref.Arches = append(ref.Arches, a.Name)
	}
	return ref
}

// archFor chooses which architecture of a build to describe: this machine's,
// else its first.
func (s *Stream) archFor(ref materialize.BuildRef) string {
	if slices.Contains(ref.Arches, s.cfg.Arch) || len(ref.Arches) == 0 {
		return s.cfg.Arch
	}
	return ref.Arches[0]
}

// info describes a build; what is wrong with it is part of the description.
func (s *Stream) info(ref materialize.BuildRef, arch string) webui.BuildInfo {
	info := webui.BuildInfo{BuildRef: ref, Arch: arch}
	rec, err := s.find(ref.ID, arch)
	if err != nil {
		info.Problem = s.explainBuild(ref.ID, arch, err).Error()
		return info
	}
	info.Version, info.Commit, info.Config, info.Problem = rec.Version, rec.Commit, rec.Config, rec.Problem
	info.Artifacts = s.artifacts(rec, func(item) bool { return true })
	return info
}

// artifacts gives the recorded artifacts that are wanted, by kind.
func (s *Stream) artifacts(rec record, want func(item) bool) []materialize.Artifact {
	var list []materialize.Artifact
	for _, it := range s.items(rec) {
		if it.Kind != "" && it.packed == "" && want(it) {
			list = append(list, it.artifact())
		}
	}
	slices.SortFunc(list, func(a, b materialize.Artifact) int { return strings.Compare(a.Kind, b.Kind) })
	return list
}

func (it *item) artifact() materialize.Artifact {
	return materialize.Artifact{
		Kind: it.Kind, File: it.Name, Size: it.Size, SHA256: it.SHA256, Local: it.State == materialize.StateCached,
		State: it.State, Source: it.Source, Reason: it.Reason,
	}
}

// Show implements [webui.Service].
func (s *Stream) Show(_ context.Context, id, arch string) (webui.BuildInfo, error) {
	f := s.current()
	if err := s.neverAsked(f); err != nil {
		return webui.BuildInfo{}, err
	}
	id, err := s.resolveID(id)
	if err != nil {
		return webui.BuildInfo{}, err
	}
	i := slices.IndexFunc(f.snap.Builds, func(b vfs.Build) bool { return b.ID == id })
	if i < 0 {
		return webui.BuildInfo{}, s.noBuild(id)
	}
	ref := f.ref(&f.snap.Builds[i])
	if arch == "" {
		arch = s.archFor(ref)
	}
	return s.info(ref, arch), nil
}

// resolveID turns "latest" and "" into the newest build's id.
func (s *Stream) resolveID(id string) (string, error) {
	if id != "" && id != "latest" {
		return id, nil
	}
	f := s.current()
	if f.snap.Latest != "" {
		return f.snap.Latest, nil
	}
	if err := s.neverAsked(f); err != nil {
		return "", err
	}
	return "", materialize.Fail(materialize.ClassConfig, "find the latest build", "ask the stores again with: cosafs sync",
		materialize.Says(fs.ErrNotExist, "the stores have no build"))
}

// noBuild says that no store lists such a build, or has it any more.
func (s *Stream) noBuild(id string) error {
	f := s.current()
	why := materialize.Says(fs.ErrNotExist, "there is none of this name")
	if problem, ok := f.problems[id]; ok {
		why = materialize.Says(fs.ErrNotExist, "%s", problem)
	} else if store, ok := f.buried[id]; ok {
		why = materialize.Says(fs.ErrNotExist, "it was deleted from %s by garbage collection (tombstone-builds in builds.json)", store)
	}
	return materialize.Fail(materialize.ClassConfig, "find build "+id, "see the builds with: cosafs list", why)
}

// explainBuild says what is missing of a build: all of it, or an architecture.
func (s *Stream) explainBuild(id, arch string, err error) error {
	b := s.current().builds[id]
	switch {
	case b == nil:
		return s.noBuild(id)
	case isAbsent(err) && b.arch(arch) == nil:
		var has []string
		for _, a := range b.arches {
			has = append(has, a.name)
		}
		return materialize.Fail(materialize.ClassConfig, "find build "+id, "it was made for "+strings.Join(has, " "),
			materialize.Says(fs.ErrNotExist, "it has nothing for %s", arch))
	}
	return materialize.Fail(materialize.ClassConfig, "find build "+id, "see the builds with: cosafs list", err)
}

// Jobs implements [webui.Service].
func (s *Stream) Jobs(context.Context) ([]materialize.JobInfo, error) { return s.runner.Jobs(), nil }

// Log implements [webui.Service].
func (s *Stream) Log(ctx context.Context, job string, follow bool, to io.Writer) error {
	return s.runner.FollowLog(ctx, job, to, follow)
}

// Cancel implements [webui.Service].
func (s *Stream) Cancel(_ context.Context, job string) error { return s.runner.Cancel(job) }

// Retry implements [webui.Service].
func (s *Stream) Retry(_ context.Context, jobOrPath string) error {
	if _, err := s.runner.Job(jobOrPath); err == nil {
		return s.runner.Retry(jobOrPath)
	}
	it, err := s.parse(jobOrPath)
	if err != nil || it.file.src == nil {
		return errors.Join(err, it.gone)
	}
	return s.runner.Retry(it.workKey())
}

// Build implements [webui.Service]: stores can't build.
func (s *Stream) Build(context.Context, webui.BuildRequest, func(materialize.Event)) (webui.BuildResult, error) {
	return webui.BuildResult{}, errNoWorkdir("build")
}

// Prune implements [webui.Service]: there is nothing here to prune.
func (s *Stream) Prune(context.Context, webui.PruneRequest) ([]materialize.BuildRef, error) {
	return nil, errNoWorkdir("prune")
}

// Compress implements [webui.Compressor]: what a store has stays as it is.
func (s *Stream) Compress(context.Context, webui.CompressRequest, func(materialize.Event)) ([]webui.Compressed, error) {
	return nil, errNoWorkdir("compress")
}

// Remake implements [webui.Remaker]: what a store has stays as it is.
func (s *Stream) Remake(context.Context, string, func(materialize.Event)) (materialize.Result, error) {
	return materialize.Result{}, errNoWorkdir("extend")
}

// Tag implements [webui.Service]: the list of a store is not edited here.
func (s *Stream) Tag(context.Context, string, string) error { return errNoWorkdir("tag") }

// Untag implements [webui.Service].
func (s *Stream) Untag(context.Context, string) error { return errNoWorkdir("untag") }
