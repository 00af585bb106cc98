package materialize

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"
)

// A Maker makes targets. It joins a compose engine, a disk writer, the build
// directory's records and the runner that does each piece of work once. All
// fields are set before first use; methods are safe for concurrent use. Close it
// at the end.
type Maker struct {
	Composer Composer
	Disks    DiskWriter
	Live     LiveMaker // nil where there is none
	Commits  CommitStore
	Records  Records
	Packer   Packer
	Runner   *Runner
	Config   ConfigDir
	Arch     string // RPM basearch of this machine, the only one that can be made here
	StateDir string // <workdir>/cache/cosafs
	// Frozen is why nothing can be made in the build directory; nil if it can.
	Frozen error
	// Linger is how long a job goes on after the last who asked for it left;
	// negative means for ever.
	Linger time.Duration
	// Version is the program's. Another one may compute views otherwise: what it found
	// out of their bytes is not believed.
	Version string
	// Now is the clock; time.Now where nil.
	Now func() time.Time

	inputs   inputsMemo
	images   sync.Map // commit -> its imageConfig, which never changes
	installs sync.Map // commit -> []string, what its live system installs
	stats    sync.Map // hash of base disk and kind -> ViewStat, what never changes of it
	sums     sumQueue // of views that were opened
	checks   sync.Map // hash of a recorded commit's artifact -> *commitCheck
}

// Make makes the target's bytes exist in the build directory and says where.
// It blocks until they do, they can't, or ctx ends. Where the bytes exist it
// costs no job. A target that no recipe makes is [ErrNotMakeable].
func (m *Maker) Make(ctx context.Context, t Target) (Result, error) {
	t, made, err := m.inBuild(ctx, t)
	if err != nil {
		return Result{}, err
	}
	r, err := m.makeTarget(ctx, t)
	r.New = made
	return r, err
}

func (m *Maker) makeTarget(ctx context.Context, t Target) (Result, error) {
	if _, format := SplitKind(t.Kind); format != "" {
		return m.makePacked(ctx, t)
	}
	return m.makeArtifact(ctx, t)
}

// inBuild gives the target in the build that is meant. Of next/ that is the build
// that the configuration gives now, which is made if it isn't yet; made says so.
// Names of next/ promise a format: what is recorded compressed is meant uncompressed.
func (m *Maker) inBuild(ctx context.Context, t Target) (in Target, made bool, err error) {
	if t.Build != Next {
		return t, false, nil
	}
	artifact := t
	var format string
	artifact.Kind, format = SplitKind(t.Kind)
	built, err := m.buildNext(ctx, artifact)
	if err != nil {
		return t, false, err
	}
	t.Build = built.Build
	b, err := m.Records.Build(ctx, t.Build, t.Arch)
	if err == nil && format == "" && b.Artifacts[t.Kind].Packed() {
		t.Kind = PackedKind(t.Kind, Plain)
	}
	return t, built.New, err
}

// buildNext makes the build that the configuration gives now, for the sake of the
// target, if it is not made yet.
func (m *Maker) buildNext(ctx context.Context, t Target) (Result, error) {
	if err := m.makeable(t); err != nil {
		return Result{}, err
	}
	in, err := m.InputsNow(ctx)
	if err != nil {
		return Result{}, err
	}
	w := m.buildWork(in, BuildOptions{Kinds: []string{t.Kind}})
	w.Target = t
	return m.Runner.Do(ctx, w, m.Linger)
}

// makeable refuses what can't be made on this machine.
func (m *Maker) makeable(t Target) error {
	if m.Frozen != nil {
		return m.Frozen
	}
	if t.Arch != m.Arch {
		return fmt.Errorf("%s: this machine makes %s only: %w", t, m.Arch, ErrNotMakeable)
	}
	if t.Kind != KindOSTree && !slices.Contains(m.Kinds(), t.Kind) {
		return fmt.Errorf("%s: %w", t, ErrNotMakeable)
	}
	return nil
}

// An InputState is what the next build would be made from.
type InputState struct {
	Inputs
	ImageJSON     []byte // rendered image configuration
	PlatformsJSON []byte // rendered table of platforms
	Key           string // hash of it all, and of the engine
}

func (in InputState) imageConfig() imageConfig { return imageConfig{in.ImageJSON, in.PlatformsJSON} }

// Inputs reads the configuration and hashes it. It costs reading files, and not
// even that when it was read a moment ago.
func (m *Maker) Inputs(ctx context.Context) (InputState, error) {
	return m.inputs.get(m.now, inputsFresh, func() (InputState, error) { return m.readInputs(ctx) })
}

// InputsNow gives the inputs as they were at some moment after the call: what is
// built from them must hold what a person saved just before.
func (m *Maker) InputsNow(ctx context.Context) (InputState, error) {
	return m.inputs.get(m.now, 0, func() (InputState, error) { return m.readInputs(ctx) })
}

func (m *Maker) readInputs(ctx context.Context) (InputState, error) {
	in, err := m.Composer.Inputs(ctx)
	if err != nil {
		return InputState{}, err
	}
	image, err := m.Disks.RenderImage(ctx)
	if err != nil {
		return InputState{}, err
	}
	platforms, err := m.Disks.RenderPlatforms(ctx, m.Arch)
	if err != nil {
		return InputState{}, err
	}
	key := hashKey("inputs", in.Hash, string(image), string(platforms), m.Composer.Name(), m.Arch)
	return InputState{Inputs: in, ImageJSON: image, PlatformsJSON: platforms, Key: key}, nil
}

// inputsMemo keeps the inputs for a moment: a directory listing or a hundred
// opens at once should not hash the configuration a hundred times.
type inputsMemo struct {
	mu    sync.Mutex // guards the fields below, and lets one caller read at a time
	at    time.Time  // when the reading began; zero for none
	state InputState
	err   error
}

// inputsFresh is how long inputs are believed unread by those who only look.
const inputsFresh = 200 * time.Millisecond

// get gives what was read since age before the call, reading if need be. With
// age 0 that is a reading that began after the call: while many wait here, two
// readings serve them all.
func (c *inputsMemo) get(now func() time.Time, age time.Duration, read func() (InputState, error)) (InputState, error) {
	asked := now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() && asked.Sub(c.at) < age {
		return c.state, c.err
	}
	c.at = now()
	c.state, c.err = read()
	if errors.Is(c.err, context.Canceled) || errors.Is(c.err, context.DeadlineExceeded) {
		err := c.err
		c.at, c.err = time.Time{}, nil // that was about this caller, not about the inputs
		return InputState{}, err
	}
	return c.state, c.err
}

func (m *Maker) now() time.Time {
	if m.Now != nil {
		return m.Now()
	}
	return time.Now()
}

// hashKey hashes parts so that no two lists of parts share a key.
func hashKey(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s\n", len(p), p) // a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}

// isAbsent says whether err proves that something is not there.
func isAbsent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
