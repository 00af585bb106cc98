package workdir

import (
	"fmt"
	"slices"
	"strconv"

	"cosafs/index"
	"cosafs/materialize"
)

// stampFormat is how cosa writes times: UTC, whole seconds.
const stampFormat = "2006-01-02T15:04:05Z"

// newMeta gives the meta.json of a new build: the keys of cosa's schema, in the
// order in which cosa build writes them.
func newMeta(n materialize.NewBuild) (*index.Meta, error) {
	m := index.NewMeta()
	w := metaWriter{meta: m}
	w.commit(n.Commit)
	w.build(n)
	w.provenance(n)
	for _, a := range n.Artifacts {
		if w.err == nil {
			w.err = m.SetImage(index.Kind(a.Kind), imageOf(a))
		}
	}
	m.SetStamp(n.Time.UnixNano())
	if w.err != nil {
		return nil, w.err
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("meta.json of %s: %w", n.ID, err)
	}
	return m, nil
}

func imageOf(a materialize.Artifact) index.Image {
	im := index.Image{Path: a.File, SHA256: a.SHA256, Size: a.Size, UncompressedSize: -1, SkipCompression: a.SkipCompression || index.SkipCompression(index.Kind(a.Kind))}
	if a.Inside != nil {
		im.UncompressedSHA256, im.UncompressedSize = a.Inside.SHA256, a.Inside.Size
	}
	return im
}

// metaWriter sets keys until one fails.
type metaWriter struct {
	meta *index.Meta
	err  error
}

func (w *metaWriter) set(key string, value any) {
	if w.err == nil {
		w.err = w.meta.Set(key, value)
	}
}

// setText sets a string that may be missing.
func (w *metaWriter) setText(key, value string) {
	if value != "" {
		w.set(key, value)
	}
}

func (w *metaWriter) commit(c materialize.Commit) {
	w.setText("ref", c.Ref)
	keys := make([]string, 0, len(c.Stats))
	for k := range c.Stats {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		w.set(k, c.Stats[k])
	}
	w.set("ostree-commit", c.Checksum)
	w.setText("ostree-content-checksum", c.ContentChecksum)
	w.set("ostree-version", c.Version)
	w.set("ostree-timestamp", c.Timestamp.UTC().Format(stampFormat))
	w.setText("rpm-ostree-inputhash", c.InputHash)
	if c.PkgDiff != nil {
		w.set("pkgdiff", c.PkgDiff)
	}
}

func (w *metaWriter) build(n materialize.NewBuild) {
	if n.OverridesActive {
		w.set("coreos-assembler.overrides-active", true)
	}
	w.set("buildid", n.ID)
	w.set("name", n.Name)
	w.setText("summary", n.Summary)
	w.set("coreos-assembler.build-timestamp", n.Time.UTC().Format(stampFormat))
	w.set("coreos-assembler.image-config-checksum", n.ImageConfigChecksum)
	w.set("coreos-assembler.image-genver", n.GenVer)
	w.set("coreos-assembler.image-input-checksum", n.ImageInputChecksum)
	w.set("coreos-assembler.basearch", n.Arch)
	w.setText(variantKey, n.Variant)
}

func (w *metaWriter) provenance(n materialize.NewBuild) {
	if n.ConfigGit == nil {
		return
	}
	w.setText("coreos-assembler.config-gitrev", n.ConfigRev)
	w.set("coreos-assembler.config-dirty", strconv.FormatBool(n.ConfigDirty))
	w.set("coreos-assembler.container-config-git", n.ConfigGit)
}

// buildOf gives what the documents of a build's directory say.
func buildOf(id, arch, dir string, m *index.Meta, packages []materialize.Package) materialize.Build {
	config := ""
	if git, ok := m.ConfigGit(); ok {
		config = git.String()
	}
	return materialize.Build{
		ID: id, Arch: arch, Name: m.Name(), Summary: m.Summary(), Ref: m.Ref(), Version: m.Version(), Commit: m.Commit(),
		ContentChecksum: m.ContentChecksum(), InputHash: m.InputHash(),
		ImageInputChecksum: m.ImageInputChecksum(), ImageConfigChecksum: m.ImageConfigChecksum(),
		GenVer: m.GenVer(), Config: config, Time: m.BuildTime(), CommitTime: m.Timestamp(), Dir: dir, Packages: packages,
		Artifacts: map[string]materialize.Artifact{},
	}
}
