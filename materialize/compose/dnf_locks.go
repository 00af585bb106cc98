package compose

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"cosafs/materialize"
)

// lockedAt is what a lockfile says of a package.
type lockedAt struct {
	// EVRA is [epoch:]version-release, with or without .arch.
	EVRA   string `json:"evra" yaml:"evra"`
	EVR    string `json:"-" yaml:"evr"`
	Digest string `json:"digest" yaml:"digest"` // type:hex, or ""
}

// readLocks reads the configuration's lockfiles; later ones win.
func readLocks(cfg Config) (map[string]lockedAt, error) {
	files, err := lockfiles(cfg)
	if err != nil {
		return nil, err
	}
	out := map[string]lockedAt{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read lockfile: %w", err)
		}
		var lock struct {
			Packages map[string]lockedAt `yaml:"packages"`
		}
		if err := yaml.Unmarshal(data, &lock); err != nil { // JSON is YAML, too
			return nil, materialize.Fail(materialize.ClassConfig, "read lockfile", "edit "+file, err)
		}
		for name, p := range lock.Packages {
			if p.EVRA == "" {
				p.EVRA = p.EVR
			}
			if p.EVRA == "" {
				return nil, materialize.Fail(materialize.ClassConfig, "read lockfile", "edit "+file,
					fmt.Errorf("package %s has neither evra nor evr", name))
			}
			out[name] = p
		}
	}
	return out, nil
}

// overridesRepo makes a repository of the packages in overrides/rpm and gives
// its directory, "" where there are none.
func (c *composition) overridesRepo(ctx context.Context) (string, error) {
	rpms, err := overrideRPMs(c.cfg)
	if err != nil || len(rpms) == 0 {
		return "", err
	}
	dir := filepath.Join(c.task.Scratch, "overrides")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("compose: %w", err)
	}
	for _, rpm := range rpms {
		if err := linkOrCopy(rpm, filepath.Join(dir, filepath.Base(rpm))); err != nil {
			return "", fmt.Errorf("compose: %w", err)
		}
	}
	err = materialize.CommandContext(ctx, c.task, "createrepo_c", "--quiet", "--no-database", dir).Run()
	switch {
	case err == nil:
		return dir, nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return "", materialize.Fail(materialize.ClassTool, "compose", "install createrepo_c: apt install createrepo-c", err)
	default:
		return "", materialize.Fail(materialize.ClassConfig, "compose", "look at the packages in "+filepath.Dir(rpms[0]), err)
	}
}
