package install

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// Pull makes the sysroot and copies the commit into it. What is read was
// checked when it was composed; a disk that isn't complete is thrown away, so
// nothing needs to be synced.
func (s *System) Pull(ctx context.Context) error {
	if err := s.Run(ctx, "ostree", "admin", "init-fs", "--modern", s.Root); err != nil {
		return err
	}
	repo := filepath.Join(s.Root, "ostree/repo")
	if err := appendFile(filepath.Join(repo, "config"), settings); err != nil {
		return err
	}
	if err := s.Run(ctx, "ostree", "admin", "os-init", "--sysroot="+s.Root, s.Job.OS); err != nil {
		return err
	}
	args := []string{"--repo=" + repo, "pull-local", "--disable-fsync"}
	if s.Job.Remote != "" {
		args = append(args, "--remote="+s.Job.Remote)
	}
	return s.Run(ctx, "ostree", append(args, s.Repo, cmp.Or(s.Job.Ref, s.Job.Commit))...)
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// Deploy checks the commit out, which also writes the boot entry.
func (s *System) Deploy(ctx context.Context) error {
	args := []string{"admin", "deploy", "--sysroot=" + s.Root, "--os=" + s.Job.OS}
	for _, karg := range s.Job.kargs() {
		args = append(args, "--karg-append="+karg)
	}
	if err := s.Run(ctx, "ostree", append(args, s.Job.refspec())...); err != nil {
		return err
	}
	if err := s.writeAleph(); err != nil {
		return err
	}
	if err := WritePlatforms(s.boot(), s.Job.Platforms); err != nil {
		return err
	}
	if !s.Job.Ignition {
		return nil
	}
	return os.WriteFile(filepath.Join(s.boot(), "ignition.firstboot"), nil, 0o644)
}

// Deployment gives the folder of the one system that is deployed below root.
func Deployment(root string) (string, error) {
	return onlyOne(filepath.Join(root, "ostree/deploy/*/deploy/*.0"))
}

// boot is the directory of the boot file system.
func (s *System) boot() string { return filepath.Join(s.Root, "boot") }

// kargs are the kernel's arguments beside those of ostree and the platform.
func (j *Job) kargs() []string {
	if j.Ignition {
		return append([]string{"$ignition_firstboot"}, j.Kargs...) // a variable of grub.cfg
	}
	return append([]string{"root=UUID=" + rootUUID, "rw"}, j.Kargs...)
}

// writeAleph writes version 1 of the file that says what a system was
// installed from.
func (s *System) writeAleph() error {
	b, err := json.MarshalIndent(map[string]string{
		"build": s.Job.Build, "ref": s.Job.Ref, "ostree-commit": s.Job.Commit, "imgid": s.Job.Image,
	}, "", "    ")
	if err != nil {
		return fmt.Errorf("aleph: %w", err)
	}
	return os.WriteFile(filepath.Join(s.Root, ".coreos-aleph-version.json"), append(b, '\n'), 0o644)
}

// BootEntry gives the options of the boot entry that Deploy wrote.
func (s *System) BootEntry() (options string, err error) {
	path, err := onlyOne(filepath.Join(s.boot(), "loader/entries/*.conf"))
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(b)) {
		if options, ok := strings.CutPrefix(line, "options "); ok {
			return strings.TrimSpace(options), nil
		}
	}
	return "", fmt.Errorf("%s: boot entry without options", path)
}

// LiveKargs gives the kernel's arguments of a live system, from a boot entry's options:
// its root is no partition and holds one deployment, and each boot is its first. cosa
// drops the consoles too (live_exclude_kargs of its cmd-buildextend-live): here they stay,
// so that who boots without a screen sees something.
func (j *Job) LiveKargs(options string) string {
	args := slices.DeleteFunc(strings.Fields(options), func(arg string) bool {
		key, _, _ := strings.Cut(arg, "=")
		return slices.Contains([]string{"rw", "root", "ostree", "rhcos.root", "ignition.platform.id"}, key) || strings.HasPrefix(key, "$")
	})
	if j.Ignition {
		args = append(args, "ignition.firstboot")
	}
	return strings.Join(append(args, "ignition.platform.id=metal"), " ")
}
