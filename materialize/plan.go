package materialize

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Plan says what [Maker.Make] would do for the target now, and why. It reads
// the local directory only: no network, no job.
func (m *Maker) Plan(ctx context.Context, t Target) (Plan, error) {
	f, err := m.gather(ctx, t)
	if err != nil {
		return Plan{}, err
	}
	return f.plan(), nil
}

// Facts are what a plan is decided from. Deciding is pure: the same facts give
// the same plan.
type Facts struct {
	Target   Target
	Build    *Build      // the recorded build; nil when there is none, or for next/ when it is yet to be made
	Makeable error       // why this machine can't make the target; nil when it can
	Inputs   *InputState // of next/, or nil
	Changed  []string    // inputs that differ from the newest build's
	Engine   string      // compose engine
	Commit   bool        // the repository holds the commit
	Base     bool        // the base disk is cached
	View     bool        // it is computed from the base disk as it is read
	Live     bool        // it is one of the live artifacts, which are made together
	Installs []string    // the kinds of disks that this live system installs
	Again    bool        // it is recorded, its file is gone, and can be made again as it was
	Failure  error       // remembered failure of a step, nil if none
	Job      *JobInfo    // of a step that is under way, nil if none
	Format   string      // the compression in which it is wanted, see [PackedKind]; "" = as it is
	Packed   bool        // and so it is in the cache
	PackErr  error       // remembered failure of the compression, nil if none
	PackJob  *JobInfo    // of the compression, nil if it isn't under way

	buildKey, baseKey, artifactKey, viewKey, packedKey string
}

// gather collects the facts.
func (m *Maker) gather(ctx context.Context, t Target) (Facts, error) {
	kind, format := SplitKind(t.Kind)
	t.Kind = kind
	f := Facts{Target: t, Makeable: m.makeable(t), Engine: m.Composer.Name(), Format: format, Live: m.isLive(kind)}
	var err error
	if t.Build == Next {
		err = m.gatherNext(ctx, &f)
	} else {
		var b Build
		b, err = m.Records.Build(ctx, t.Build, t.Arch)
		f.Build = &b
	}
	if err != nil {
		return Facts{}, err
	}
	m.gatherSteps(ctx, &f)
	m.gatherPacked(&f)
	m.gatherJobs(&f)
	return f, nil
}

func (m *Maker) gatherNext(ctx context.Context, f *Facts) error {
	in, err := m.Inputs(ctx)
	if err != nil {
		return err
	}
	f.Inputs, f.buildKey = &in, m.buildKey(in, BuildOptions{})
	if b, ok := m.builtFrom(ctx, in); ok {
		f.Build = &b
		return nil
	}
	f.Changed = m.changedInputs(ctx, in)
	return nil
}

// changedInputs names the inputs that differ from those of the newest build.
func (m *Maker) changedInputs(ctx context.Context, in InputState) []string {
	latest, err := m.Records.Latest(ctx, m.Arch)
	if err != nil {
		return nil
	}
	old, ok := m.partsOf(latest.ID)
	if !ok {
		return nil
	}
	var changed []string
	for name, hash := range in.Parts {
		if old[name] != hash {
			changed = append(changed, name)
		}
	}
	for name := range old {
		if _, ok := in.Parts[name]; !ok {
			changed = append(changed, name+" (gone)")
		}
	}
	slices.Sort(changed)
	return changed
}

// partsOf finds the inputs that gave the build.
func (m *Maker) partsOf(id string) (map[string]string, bool) {
	for _, name := range m.builtNames() {
		var r built
		c, err := os.ReadFile(name)
		if err == nil && json.Unmarshal(c, &r) == nil && r.Build == id {
			return r.Parts, true
		}
	}
	return nil, false
}

// gatherSteps looks at what the steps of a recorded build would need.
func (m *Maker) gatherSteps(ctx context.Context, f *Facts) {
	if f.Build == nil || f.Build.Commit == "" {
		return // no step is known
	}
	if a, recorded := f.recorded(); recorded {
		if f.Again = m.Again(ctx, *f.Build, a); !f.Again {
			return // no step is needed
		}
	}
	f.Commit = m.Commits.Has(ctx, f.Build.Commit)
	f.View = m.isView(*f.Build, f.Target.Kind)
	f.artifactKey = m.artifactKey(*f.Build, f.Target.Kind)
	if f.Live {
		f.artifactKey = m.liveKey(*f.Build)
		f.Installs, _ = m.installable(ctx, f.Build.Commit) // what can't be asked now is asked as it is made
	} else if f.Target.Kind != KindOSTree {
		m.gatherDisk(ctx, f)
	}
	if !f.Commit && !f.Base && f.Makeable == nil {
		f.Makeable = m.commitHere(ctx, *f.Build)
	}
}

// gatherDisk looks at the disk that a kind is made of.
func (m *Maker) gatherDisk(ctx context.Context, f *Facts) {
	req, err := m.requestOf(ctx, *f.Build, f.Target.Kind)
	if err != nil {
		return
	}
	f.baseKey, f.Base = m.baseKey(req), m.cached(req)
	if f.View {
		f.viewKey = m.viewKey(req)
	}
}

func (m *Maker) gatherJobs(f *Facts) {
	f.Job, f.Failure = m.working(f.keys()...)
	f.PackJob, f.PackErr = m.working(known(f.packedKey)...)
}

// working gives the first job, and the first remembered failure, of some keys.
func (m *Maker) working(keys ...string) (job *JobInfo, failure error) {
	for _, key := range keys {
		if j, ok := m.Runner.Building(key); ok && job == nil {
			job = &j
		}
		if rec, ok := m.Runner.Memory().Failure(key); ok && failure == nil && m.now().Before(rec.Until) {
			failure = rec.err(key)
		}
	}
	return job, failure
}

// keys are the job keys of the artifact's steps, those that are known.
func (f Facts) keys() []string { return known(f.buildKey, f.baseKey, f.artifactKey, f.viewKey) }

// known leaves out keys that are not known.
func known(keys ...string) []string {
	return slices.DeleteFunc(keys, func(k string) bool { return k == "" })
}

// plan decides.
func (f Facts) plan() Plan {
	p := f.planArtifact()
	if f.Format != "" {
		return f.planPacked(p)
	}
	return p
}

// planArtifact decides about the artifact as it is. The order is: stored, under way,
// failed, then what has to be made.
func (f Facts) planArtifact() Plan {
	p := Plan{Target: f.Target}
	if f.Inputs != nil {
		p.Inputs = f.Inputs.Key
	}
	if a, ok := f.recorded(); ok && !f.Again {
		return f.planStored(p, a)
	}
	if f.Again && f.Target.Kind == KindOSTree {
		return f.planCommitView(p)
	}
	if f.Makeable != nil {
		p.State, p.Reason = StateUnknown, f.Makeable.Error()
		if errors.Is(f.Makeable, ErrNotMakeable) {
			p.State = StateGone
		}
		return p
	}
	p.Steps = f.steps()
	switch {
	case f.View && f.Base:
		p.State, p.Reason = StateView, "it is computed from the cached disk as it is read"
	case f.Job != nil:
		p.State, p.Job = StateBuilding, f.Job.ID
		p.Reason = strings.TrimSuffix(fmt.Sprintf("job %s is at it: %s", f.Job.ID, f.Job.Phase), ": ")
	case f.Failure != nil:
		p.State, p.Reason, p.Job = StateFailed, f.Failure.Error(), jobOf(f.Failure)
	case f.Again:
		p.State, p.Reason = StateBuildable, "its file is gone; opening it makes it again of the same disk or commit, and it must come out as recorded"
	case f.View:
		p.State, p.Reason = StateBuildable, "it is computed from the build's disk, which opening it writes"
	default:
		p.State, p.Reason = StateBuildable, "it exists nowhere; opening it makes it"
	}
	return p
}

// planCommitView is the plan for a recorded commit whose file is gone.
func (f Facts) planCommitView(p Plan) Plan {
	p.State, p.Reason = StateView, "its file is gone; it is computed from the repository's objects as it is read, and must come out as recorded"
	p.Steps = []Step{{Do: KindOSTree, What: "view of the commit's objects", Why: "meta.json has it, but its file is gone", Done: true}}
	return p
}

// jobOf gives the id of the job that an error comes from, "" if none is known.
func jobOf(err error) string {
	if e, ok := errors.AsType[*JobError](err); ok {
		return e.Job
	}
	return ""
}

func (f Facts) recorded() (Artifact, bool) {
	if f.Build == nil {
		return Artifact{}, false
	}
	a, ok := f.Build.Artifacts[f.Target.Kind]
	return a, ok
}

func (f Facts) planStored(p Plan, a Artifact) Plan {
	if !a.Local {
		p.State, p.Reason = StateGone, lostFailure(f.Target, a).Error()
		if a.Damage != "" {
			p.State = StateFailed
		}
		return p
	}
	p.State, p.Reason = StateLocal, "it is in the build directory"
	p.Steps = []Step{{Do: "read", What: a.File, Why: "recorded in meta.json, and the file is there", Done: true}}
	return p
}

// steps lists the recipes in order.
func (f Facts) steps() []Step {
	steps := []Step{f.commitStep()}
	if f.Target.Kind == KindOSTree && f.Build == nil {
		return steps // a build comes with it
	}
	made := Step{Do: f.Target.Kind, What: "file in the build directory, recorded in meta.json",
		Why: "meta.json has no " + f.Target.Kind, Key: f.artifactKey}
	if f.View {
		made.What, made.Why, made.Done = "view of the base disk", "its bytes follow from the disk's: none are stored", f.Base
	}
	if f.Again {
		made.Why = "meta.json has it, but its file is gone"
	}
	if f.Live {
		made.What = "live system: four files in the build directory, recorded in meta.json"
	}
	if len(f.Installs) > 0 {
		steps = append(steps, Step{Do: "osmet", What: "what the images " + strings.Join(f.Installs, " and ") + " have beside the commit's files",
			Why: "the tree has coreos-installer: the live system installs them without a network"})
	}
	if f.Target.Kind == KindOSTree || f.Live {
		return append(steps, made)
	}
	base := Step{Do: "base disk", What: "raw disk in the cache", Key: f.baseKey, Done: f.Base,
		Why: "no disk of this commit and image.yaml is in the cache: a supermin VM writes one"}
	if f.Base {
		base.Why = "the disk of this commit and image.yaml is in the cache"
	}
	return append(steps, base, made)
}

func (f Facts) commitStep() Step {
	s := Step{Do: "compose", What: "a build with its OSTree commit (" + f.Engine + ")", Key: f.buildKey}
	switch {
	case f.Build != nil && f.Commit:
		s.Do, s.What, s.Why, s.Done = "commit", f.Build.Commit, "build "+f.Build.ID+" has it, and so has the repository", true
	case f.Build != nil && f.Base:
		s.Do, s.What, s.Why, s.Done = "commit", f.Build.Commit, "the repository lacks it, but the disk in the cache was made of it", true
	case f.Build != nil:
		s.Do, s.What, s.Why = "import", f.Build.Commit, "the repository lacks the commit of build "+f.Build.ID+"; its ostree artifact has it"
	case len(f.Changed) > 0:
		s.Why = "changed since the newest build: " + strings.Join(f.Changed, ", ")
	default:
		s.Why = "no build is known to be made from this configuration; change detection decides whether a new one comes of it"
	}
	return s
}

// Retry forgets the failures of every step of the target, so that the next
// open tries again.
func (m *Maker) Retry(ctx context.Context, t Target) error {
	f, err := m.gather(ctx, t)
	if err != nil {
		return err
	}
	for _, key := range append(f.keys(), known(f.packedKey)...) {
		err = errors.Join(err, m.Runner.Retry(key))
	}
	return err
}

// Text gives the plan for people, a line a step.
func (p Plan) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s\n", p.Target, p.State, p.Reason)
	for i, s := range p.Steps {
		mark := "to do"
		if s.Done {
			mark = "done "
		}
		fmt.Fprintf(&b, "%2d. [%s] %s: %s\n      %s\n", i+1, mark, s.Do, s.What, s.Why)
	}
	return b.String()
}

// Progress is how much of the job that makes the target now is done, 0 to 1,
// and whether there is such a job.
func (m *Maker) Progress(ctx context.Context, t Target) (float64, bool) {
	f, err := m.gather(ctx, t)
	if err != nil || f.Job == nil && f.PackJob == nil {
		return 0, false
	}
	return cmp.Or(f.PackJob, f.Job).Fraction, true // a compression goes on to its end, through the artifact's
}
