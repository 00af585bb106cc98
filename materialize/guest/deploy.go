package guest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// refspec is what the deployment follows at upgrades.
func (j *Job) refspec() string {
	switch {
	case j.Ref == "":
		return j.Commit
	case j.Remote == "":
		return j.Ref
	}
	return j.Remote + ":" + j.Ref
}

// pull makes the sysroot and copies the commit into it. What is read was
// checked when it was composed; a disk that isn't complete is thrown away, so
// nothing needs to be synced.
func (s *steps) pull(ctx context.Context, _ string) error {
	repo := "--repo=" + filepath.Join(targetDir, "ostree/repo")
	for _, args := range [][]string{
		{"admin", "init-fs", "--modern", targetDir},
		{repo, "config", "set", "sysroot.bootloader", "none"},
		{repo, "config", "set", "sysroot.readonly", "true"},
		{"admin", "os-init", "--sysroot=" + targetDir, s.job.OS},
		{repo, "pull-local", "--disable-fsync", repoDir, s.job.Commit},
	} {
		if err := s.command(ctx, "ostree", args...); err != nil {
			return err
		}
	}
	if s.job.Ref == "" {
		return nil
	}
	return s.command(ctx, "ostree", repo, "refs", "--create="+s.job.refspec(), s.job.Commit)
}

// deploy checks the commit out, which also writes the boot entry.
func (s *steps) deploy(ctx context.Context, _ string) error {
	args := []string{"admin", "deploy", "--sysroot=" + targetDir, "--os=" + s.job.OS}
	for _, karg := range s.job.kargs() {
		args = append(args, "--karg-append="+karg)
	}
	if err := s.command(ctx, "ostree", append(args, s.job.refspec())...); err != nil {
		return err
	}
	if err := s.writeAleph(); err != nil {
		return err
	}
	if !s.job.Ignition {
		return nil
	}
	return os.WriteFile(filepath.Join(targetDir, "boot/ignition.firstboot"), nil, 0o644)
}

// kargs are the kernel's arguments beside those of ostree and the platform.
func (j *Job) kargs() []string {
	if j.Ignition {
		return append([]string{"$ignition_firstboot"}, j.Kargs...) // a variable of grub.cfg
	}
	return append([]string{"root=UUID=" + rootUUID, "rw"}, j.Kargs...)
}

// writeAleph writes version 1 of the file that says what a system was
// installed from.
func (s *steps) writeAleph() error {
	b, err := json.MarshalIndent(map[string]string{
		"build": s.job.Build, "ref": s.job.Ref, "ostree-commit": s.job.Commit, "imgid": s.job.Image,
	}, "", "    ")
	if err != nil {
		return fmt.Errorf("aleph: %w", err)
	}
	return os.WriteFile(filepath.Join(targetDir, ".coreos-aleph-version.json"), append(b, '\n'), 0o644)
}
