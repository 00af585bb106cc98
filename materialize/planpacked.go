package materialize

import (
	"fmt"
	"slices"
)

// gatherPacked looks for the file in the compression that is wanted. What is
// recorded so needs none; what next/ has compressed is wanted uncompressed.
func (m *Maker) gatherPacked(f *Facts) {
	a, recorded := f.recorded()
	if f.Target.Build == Next && f.Format == "" && a.Packed() {
		f.Format = Plain
	}
	if f.Format == "" || f.Build == nil {
		return
	}
	kind := PackedKind(f.Target.Kind, f.Format)
	if recorded && a.File == m.PackedName(*f.Build, kind) {
		f.Format = ""
		return
	}
	f.packedKey = m.packedKey(*f.Build, kind)
	_, f.Packed = m.Packed(*f.Build, kind)
}

// planPacked decides about a file in another compression, p being the plan of the
// artifact itself: that comes first, and a reason why there is none is one here.
func (f Facts) planPacked(p Plan) Plan {
	p.Target.Kind = PackedKind(p.Target.Kind, f.Format)
	do, what := "compress", f.Format+" file in the cache, recorded nowhere"
	if f.Format == Plain {
		do, what = "decompress", "uncompressed file in the cache, recorded nowhere"
	}
	step := Step{Do: do, What: what, Why: "the build doesn't have it so", Key: f.packedKey, Done: f.Packed}
	p.Steps = append(slices.Clone(p.Steps), step)
	ready := slices.Contains([]State{StateLocal, StateView}, p.State)
	switch {
	case f.Packed && (ready || p.State == StateBuildable):
		p.State, p.Reason = StateCached, "it is in the cache"
	case ready && f.Job != nil:
		p.State, p.Job = StateBuilding, f.Job.ID
		p.Reason = fmt.Sprintf("job %s is at it: %s", f.Job.ID, f.Job.Phase)
	case ready && f.Failure != nil:
		p.State, p.Reason, p.Job = StateFailed, f.Failure.Error(), jobOf(f.Failure)
	case ready && f.Format == Plain:
		p.State, p.Reason = StateBuildable, "it is recorded compressed; opening it uncompresses it once"
	case ready:
		p.State, p.Reason = StateBuildable, "opening it compresses it once"
	}
	return p
}
