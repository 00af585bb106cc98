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
	switch {
	case f.Packed:
		p.State, p.Reason, p.Job = StateCached, "it is in the cache", ""
	case f.PackErr != nil:
		p.State, p.Reason, p.Job = StateFailed, f.PackErr.Error(), jobOf(f.PackErr)
	case f.PackJob != nil:
		p.State, p.Job = StateBuilding, f.PackJob.ID
		p.Reason = fmt.Sprintf("job %s is at it: %s", f.PackJob.ID, f.PackJob.Phase)
	case p.State != StateLocal && p.State != StateView:
		// What is said of the artifact holds.
	case f.Format == Plain:
		p.State, p.Reason = StateBuildable, "it is recorded compressed; opening it uncompresses it once"
	default:
		p.State, p.Reason = StateBuildable, "opening it compresses it once"
	}
	return p
}
