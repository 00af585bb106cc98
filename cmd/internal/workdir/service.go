package workdir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"cosafs/index"
	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// Status implements [webui.Service].
func (w *Workdir) Status(context.Context) (webui.Status, error) {
	jobs := slices.DeleteFunc(w.runner.Jobs(), func(j materialize.JobInfo) bool { return !j.Active() })
	return webui.Status{
		Version: w.cfg.Version, PID: os.Getpid(), Workdir: w.root, Engine: w.maker.Composer.Name(),
		Started: w.started, Jobs: jobs,
	}, nil
}

// Builds implements [webui.Service].
func (w *Workdir) Builds(ctx context.Context) ([]webui.BuildInfo, error) {
	refs, err := w.records.List(ctx)
	if err != nil {
		return nil, err
	}
	infos := make([]webui.BuildInfo, 0, len(refs))
	for _, ref := range refs {
		infos = append(infos, w.info(ctx, ref, w.archFor(ref)))
	}
	return infos, nil
}

// archFor chooses which architecture of a build to describe: this machine's,
// else its first.
func (w *Workdir) archFor(ref materialize.BuildRef) string {
	if slices.Contains(ref.Arches, w.cfg.Arch) || len(ref.Arches) == 0 {
		return w.cfg.Arch
	}
	return ref.Arches[0]
}

// info describes a build; what is wrong with it is part of the description.
func (w *Workdir) info(ctx context.Context, ref materialize.BuildRef, arch string) webui.BuildInfo {
	info := webui.BuildInfo{BuildRef: ref, Arch: arch}
	b, err := w.records.Build(ctx, ref.ID, arch)
	switch {
	case isAbsent(err):
		info.Problem = "its directory is gone: builds/" + w.records.dirOf(ctx, ref.ID, arch)
		return info
	case err != nil:
		info.Problem = err.Error()
		return info
	}
	info.Version, info.Commit, info.Config = b.Version, b.Commit, b.Config
	for kind, a := range b.Artifacts {
		if w.maker.Again(ctx, b, a) {
			a.State = w.stateOf(ctx, materialize.Target{Build: ref.ID, Arch: arch, Kind: kind})
		}
		info.Artifacts = append(info.Artifacts, a)
	}
	slices.SortFunc(info.Artifacts, func(a, b materialize.Artifact) int { return strings.Compare(a.Kind, b.Kind) })
	for _, kind := range w.maker.Kinds() {
		if _, ok := b.Artifacts[kind]; !ok && arch == w.cfg.Arch && w.cfg.Frozen == nil {
			info.Buildable = append(info.Buildable, kind)
		}
	}
	return info
}

// stateOf says whether a recorded artifact whose file is gone can be made again,
// "" if it can't.
func (w *Workdir) stateOf(ctx context.Context, t materialize.Target) materialize.State {
	p, err := w.maker.Plan(ctx, t)
	if err != nil || p.State == materialize.StateGone {
		return ""
	}
	return p.State
}

// Show implements [webui.Service].
func (w *Workdir) Show(ctx context.Context, id, arch string) (webui.BuildInfo, error) {
	refs, err := w.records.List(ctx)
	if err != nil {
		return webui.BuildInfo{}, err
	}
	id, err = w.resolveID(ctx, id)
	if err != nil {
		return webui.BuildInfo{}, err
	}
	i := slices.IndexFunc(refs, func(r materialize.BuildRef) bool { return r.ID == id })
	if i < 0 {
		return webui.BuildInfo{}, noBuild(id)
	}
	if arch == "" {
		arch = w.archFor(refs[i])
	}
	info := w.info(ctx, refs[i], arch)
	if b, err := w.records.Build(ctx, id, arch); err == nil { // else info tells of it
		info.Views = w.maker.SummedViews(ctx, b)
	}
	return info, nil
}

// resolveID turns "latest" and "" into the newest build's id.
func (w *Workdir) resolveID(ctx context.Context, id string) (string, error) {
	if id != "" && id != "latest" {
		return id, nil
	}
	list, err := w.records.list(ctx)
	if err != nil {
		return "", err
	}
	if id = w.records.latest(list); id == "" {
		return "", materialize.Fail(materialize.ClassConfig, "find the latest build", "make one with: cosafs build",
			materialize.Says(fs.ErrNotExist, "there is no build"))
	}
	return id, nil
}

// explainBuild says what is missing of a build that can't be read: all of it,
// an architecture, or nothing, and then err tells what is wrong.
func (w *Workdir) explainBuild(ctx context.Context, id, arch string, err error) error {
	if !isAbsent(err) {
		return materialize.Fail(materialize.ClassConfig, "find build "+id, "see the builds with: cosafs list", err)
	}
	refs, listErr := w.records.List(ctx)
	i := slices.IndexFunc(refs, func(r materialize.BuildRef) bool { return r.ID == id })
	switch {
	case listErr != nil:
		return listErr
	case i < 0:
		return noBuild(id)
	case !slices.Contains(refs[i].Arches, arch):
		return materialize.Fail(materialize.ClassConfig, "find build "+id, "it was made for "+strings.Join(refs[i].Arches, " "),
			materialize.Says(fs.ErrNotExist, "it has nothing for %s", arch))
	}
	return materialize.Fail(materialize.ClassConfig, "find build "+id, "bring its directory back, or make a new build: cosafs build",
		materialize.Says(fs.ErrNotExist, "its directory is gone: builds/%s", w.records.dirOf(ctx, id, arch)))
}

// makeable lists the kinds that this machine makes.
func (w *Workdir) makeable() []string {
	return append([]string{materialize.KindOSTree}, w.maker.Kinds()...)
}

// Plan implements [webui.Service].
func (w *Workdir) Plan(ctx context.Context, path string) (materialize.Plan, error) {
	t, err := w.parse(ctx, path)
	if err != nil {
		return materialize.Plan{}, err
	}
	return w.maker.Plan(ctx, t)
}

// Materialise implements [webui.Service].
func (w *Workdir) Materialise(ctx context.Context, path string, tell func(materialize.Event)) (materialize.Result, error) {
	t, err := w.parse(ctx, path)
	if err != nil {
		return materialize.Result{}, err
	}
	ctx, stop := materialize.Tell(ctx, tell)
	defer stop()
	return w.maker.Make(ctx, t)
}

// Remake implements [webui.Remaker].
func (w *Workdir) Remake(ctx context.Context, path string, tell func(materialize.Event)) (materialize.Result, error) {
	t, err := w.parse(ctx, path)
	if err != nil {
		return materialize.Result{}, err
	}
	if kind, format := materialize.SplitKind(t.Kind); format == materialize.Plain {
		t.Kind = kind // the name of what is recorded compressed
	}
	ctx, stop := materialize.Tell(ctx, tell)
	defer stop()
	return w.maker.Remake(ctx, t)
}

// parse turns a path of the tree into a target: BUILD/ARCH/NAME, where NAME is
// a kind, a short name or a file name, BUILD may be latest or next, and
// missing parts are this machine's architecture and the latest build.
func (w *Workdir) parse(ctx context.Context, path string) (materialize.Target, error) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	t := materialize.Target{Build: "latest", Arch: w.cfg.Arch}
	switch len(parts) {
	case 1:
	case 2:
		t.Build = parts[0]
	case 3:
		t.Build, t.Arch = parts[0], parts[1]
	default:
		return t, badPath(path)
	}
	return w.parseKind(ctx, t, path, parts[len(parts)-1])
}

func badPath(path string) error {
	return materialize.Fail(materialize.ClassConfig, "find artifact",
		"name one as in the tree, such as next/x86_64/qemu.qcow2 or latest/x86_64/metal.raw",
		materialize.Says(fs.ErrInvalid, "none is called %q", path))
}

func (w *Workdir) parseKind(ctx context.Context, t materialize.Target, path, name string) (materialize.Target, error) {
	if t.Build == materialize.Next {
		if kind, ok := kindOfNext(name); ok {
			name = kind
		}
	} else {
		id, err := w.resolveID(ctx, t.Build)
		if err != nil {
			return t, err
		}
		t.Build = id
		b, err := w.records.Build(ctx, id, t.Arch)
		if err != nil {
			return t, w.explainBuild(ctx, id, t.Arch, err)
		}
		if kind, ok := w.kindNamed(b, name); ok {
			name = kind
		}
	}
	t.Kind = name
	switch {
	case w.canMake(name) || w.recorded(ctx, t):
		return t, nil
	case isKind(name):
		return t, materialize.Fail(materialize.ClassConfig, "make "+name,
			"kinds that can be made: "+strings.Join(w.makeable(), " "), materialize.ErrNotMakeable)
	}
	return t, badPath(path)
}

// isKind says whether there is such a kind of artifact, in whatever compression.
func isKind(name string) bool {
	name, _ = materialize.SplitKind(name)
	return slices.Contains(index.Kinds(), index.Kind(name))
}

func (w *Workdir) recorded(ctx context.Context, t materialize.Target) bool {
	b, err := w.records.Build(ctx, t.Build, t.Arch)
	if err != nil {
		return false
	}
	kind, _ := materialize.SplitKind(t.Kind)
	_, ok := b.Artifacts[kind]
	return ok
}

// keepBuilds is how many untagged builds cosa build leaves, like cosa's own.
const keepBuilds = 3

// Build implements [webui.Service]: cosa build's sequence, artifacts and
// pruning included.
func (w *Workdir) Build(ctx context.Context, req webui.BuildRequest, tell func(materialize.Event)) (webui.BuildResult, error) {
	began := time.Now()
	if w.cfg.Frozen != nil {
		return webui.BuildResult{}, w.cfg.Frozen
	}
	if req.Arch != "" && req.Arch != w.cfg.Arch {
		return webui.BuildResult{}, materialize.Fail(materialize.ClassConfig, "build for "+req.Arch,
			"run it on a machine of that architecture",
			materialize.Says(errors.ErrUnsupported, "this machine builds for %s only", w.cfg.Arch))
	}
	kinds := req.Kinds
	if kinds == nil {
		kinds = []string{"qemu"}
	}
	if err := w.checkKinds(kinds); err != nil {
		return webui.BuildResult{}, err
	}
	ctx, stop := materialize.Tell(ctx, tell)
	defer stop()
	res, err := w.build(ctx, req, kinds)
	res.Duration = time.Since(began)
	return res, err
}

func (w *Workdir) checkKinds(kinds []string) error {
	for _, k := range kinds {
		if !w.canMake(k) {
			return materialize.Fail(materialize.ClassConfig, "make "+k,
				"kinds that can be made: "+strings.Join(w.makeable(), " "), materialize.ErrNotMakeable)
		}
	}
	return nil
}

func (w *Workdir) build(ctx context.Context, req webui.BuildRequest, kinds []string) (webui.BuildResult, error) {
	var res webui.BuildResult
	r, err := w.maker.Build(ctx, materialize.BuildOptions{
		Force: req.Force, ForceImage: req.ForceImage, Version: req.Version, Parent: req.Parent, Kinds: kinds,
	})
	if err != nil {
		return res, err
	}
	b, err := w.records.Build(ctx, r.Build, w.cfg.Arch)
	if err != nil {
		return res, err
	}
	res = webui.BuildResult{ID: b.ID, New: r.New, Commit: b.Commit, Version: b.Version}
	for _, kind := range kinds {
		t := materialize.Target{Build: b.ID, Arch: b.Arch, Kind: kind}
		if err := w.maker.Retry(ctx, t); err != nil { // who types build wants another try
			return res, err
		}
		if _, err := w.maker.Make(ctx, t); err != nil {
			return res, err
		}
	}
	err = w.afterBuild(ctx, req, &res)
	return res, err
}

// afterBuild tags and prunes.
func (w *Workdir) afterBuild(ctx context.Context, req webui.BuildRequest, res *webui.BuildResult) error {
	if req.Tag != "" {
		if err := w.records.Tag(ctx, req.Tag, res.ID); err != nil {
			return err
		}
	}
	if req.NoPrune || !res.New {
		return nil
	}
	var err error
	res.Pruned, err = w.Prune(ctx, webui.PruneRequest{Keep: keepBuilds})
	return err
}

// Prune implements [webui.Service]: builds, and then what the OSTree repository
// keeps for none of the builds that are left.
func (w *Workdir) Prune(ctx context.Context, req webui.PruneRequest) ([]materialize.BuildRef, error) {
	if w.cfg.Frozen != nil && !req.Dry {
		return nil, w.cfg.Frozen
	}
	if !req.Dry {
		w.freeReserve()
		defer w.keepReserve()
	}
	gone, err := w.records.Prune(ctx, materialize.PruneRequest{Keep: req.Keep, Builds: req.Builds, Dry: req.Dry, Busy: w.busy})
	if err != nil || req.Dry || len(gone) == 0 {
		return gone, err
	}
	return gone, w.maker.PruneCommits(ctx, gone)
}

// Jobs implements [webui.Service].
func (w *Workdir) Jobs(context.Context) ([]materialize.JobInfo, error) { return w.runner.Jobs(), nil }

// Log implements [webui.Service].
func (w *Workdir) Log(ctx context.Context, job string, follow bool, to io.Writer) error {
	return w.runner.FollowLog(ctx, job, to, follow)
}

// Cancel implements [webui.Service].
func (w *Workdir) Cancel(_ context.Context, job string) error { return w.runner.Cancel(job) }

// Retry implements [webui.Service].
func (w *Workdir) Retry(ctx context.Context, jobOrPath string) error {
	if _, err := w.runner.Job(jobOrPath); err == nil {
		return w.runner.Retry(jobOrPath)
	}
	t, err := w.parse(ctx, jobOrPath)
	if err != nil {
		return err
	}
	return w.maker.Retry(ctx, t)
}

// Tag implements [webui.Service].
func (w *Workdir) Tag(ctx context.Context, name, id string) error {
	if w.cfg.Frozen != nil {
		return w.cfg.Frozen
	}
	id, err := w.resolveID(ctx, id)
	if err != nil {
		return err
	}
	return w.records.Tag(ctx, name, id)
}

// Untag implements [webui.Service].
func (w *Workdir) Untag(ctx context.Context, name string) error {
	if w.cfg.Frozen != nil {
		return w.cfg.Frozen
	}
	return w.records.Untag(ctx, name)
}
