package workdir

import (
	"context"
	"errors"
	"fmt"

	"cosafs/backend"
	"cosafs/index"
	"cosafs/materialize"
)

// PlatformDisk finds the raw disk of a build, "" or latest for the newest, as a
// machine of the kind's platform has it.
func (w *Workdir) PlatformDisk(ctx context.Context, build, arch, kind string) (materialize.PlatformDisk, error) {
	id, err := w.resolveID(ctx, build)
	if err != nil {
		return materialize.PlatformDisk{}, err
	}
	if _, err := w.records.Build(ctx, id, arch); err != nil {
		return materialize.PlatformDisk{}, w.explainBuild(ctx, id, arch, err)
	}
	return w.maker.PlatformDisk(ctx, materialize.Target{Build: id, Arch: arch, Kind: kind})
}

// AMIs gives the machine images of AWS that a build's meta.json records.
func (w *Workdir) AMIs(ctx context.Context, build, arch string) ([]index.AMI, error) {
	meta, err := w.records.meta(ctx, w.records.path(w.records.dirOf(ctx, build, arch)))
	if err != nil {
		return nil, w.explainBuild(ctx, build, arch, err)
	}
	return meta.AMIs()
}

// AddAMIs records machine images of AWS in a build's meta.json, among what others
// record meanwhile. What is recorded already changes nothing; with none it says whether
// AMIs could be recorded.
func (w *Workdir) AddAMIs(ctx context.Context, build, arch string, amis []index.AMI) error {
	if w.cfg.Frozen != nil {
		return w.cfg.Frozen
	}
	err := w.records.addAMIs(ctx, w.records.dirOf(ctx, build, arch), amis)
	if err != nil {
		return fmt.Errorf("record AMIs of %s: %w", build, err)
	}
	return nil
}

func (r *records) addAMIs(ctx context.Context, dir string, amis []index.AMI) error {
	return explainChange(r.builds.UpdateJSON(ctx, backend.Key(dir+"/meta.json"), func(old []byte) ([]byte, error) {
		m, err := index.ParseMeta(old)
		if err != nil {
			return nil, err
		}
		changed, err := m.AddAMIs(amis)
		if err != nil || !changed {
			return old, errors.Join(err, m.Validate())
		}
		m.SetStamp(r.now().UnixNano())
		return m.Bytes(), m.Validate()
	}))
}
