package guest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
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

// settings are cosa's for the repository of a system: cosafs writes the boot
// loader itself, and /sysroot is read-only in a running system.
const settings = "\n[sysroot]\nbootloader=none\nreadonly=true\n"

// pull makes the sysroot and copies the commit into it. What is read was
// checked when it was composed; a disk that isn't complete is thrown away, so
// nothing needs to be synced.
func (s *steps) pull(ctx context.Context, _ string) error {
	if err := s.command(ctx, "ostree", "admin", "init-fs", "--modern", targetDir); err != nil {
		return err
	}
	repo := filepath.Join(targetDir, "ostree/repo")
	if err := appendFile(filepath.Join(repo, "config"), settings); err != nil {
		return err
	}
	if err := s.command(ctx, "ostree", "admin", "os-init", "--sysroot="+targetDir, s.job.OS); err != nil {
		return err
	}
	args := []string{"--repo=" + repo, "pull-local", "--disable-fsync"}
	if s.job.Remote != "" {
		args = append(args, "--remote="+s.job.Remote)
	}
	return s.command(ctx, "ostree", append(args, repoDir, cmp.Or(s.job.Ref, s.job.Commit))...)
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
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
	if err := WritePlatforms(bootDir, s.job.Platforms); err != nil {
		return err
	}
	if !s.job.Ignition {
		return nil
	}
	return os.WriteFile(filepath.Join(bootDir, "ignition.firstboot"), nil, 0o644)
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
