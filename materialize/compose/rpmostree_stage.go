package compose

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cosafs/materialize"
)

// overridesRepo is the id that cosa gives to the packages in overrides/rpm.
const overridesRepo = "coreos-assembler-local-overrides"

// staging makes the files that one run of rpm-ostree reads: a manifest that
// includes the configuration's and adds overlays and overrides, the *.repo
// files, which rpm-ostree looks for beside the manifest, a lockfile that pins
// the override packages, and the commit's metadata.
type staging struct {
	cfg  Config
	dir  string
	task *materialize.Task

	manifest, lockfile, metadata string // set by write; lockfile "" without override packages
}

// overrideManifest adds to the manifest it includes: rpm-ostree concatenates lists.
type overrideManifest struct {
	Include        string   `json:"include"`
	Repos          []string `json:"repos,omitempty"`
	Layers         []string `json:"ostree-layers,omitempty"`
	OverrideLayers []string `json:"ostree-override-layers,omitempty"`
}

func (s *staging) file(name string) string { return filepath.Join(s.dir, name) }

// write stages everything for a request.
func (s *staging) write(ctx context.Context, req materialize.ComposeRequest, tf *Treefile) error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	m := overrideManifest{Include: s.cfg.Manifest}
	if err := s.layers(ctx, req, tf, &m); err != nil {
		return err
	}
	ids, err := s.copyRepos()
	if err != nil {
		return err
	}
	active, err := s.overridePackages(ctx)
	if err != nil {
		return err
	}
	if active {
		m.Repos = []string{overridesRepo}
		if len(tf.Repos) == 0 { // naming one repository turns the others off
			m.Repos = append(m.Repos, ids...)
		}
	}
	s.manifest, s.metadata = s.file("manifest.json"), s.file("metadata.json")
	if err := writeJSON(s.manifest, m); err != nil {
		return err
	}
	metadata := req.Metadata
	if metadata == nil {
		metadata = map[string]string{}
	}
	return writeJSON(s.metadata, metadata)
}

// layers commits overlays, the image configuration and overrides/rootfs.
func (s *staging) layers(ctx context.Context, req materialize.ComposeRequest, tf *Treefile, m *overrideManifest) error {
	dirs, err := overlayDirs(s.cfg)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		ref := "overlay/" + filepath.Base(dir)
		if err := s.commitLayer(ctx, req, ref, dir); err != nil {
			return err
		}
		if !slices.Contains(tf.OstreeLayers, ref) { // manifests may place layers themselves
			m.Layers = append(m.Layers, ref)
		}
	}
	if err := s.imageLayer(ctx, req, m); err != nil {
		return err
	}
	root, err := overrideRoot(s.cfg)
	if err != nil || root == "" {
		return err
	}
	m.OverrideLayers = []string{"cosa-bin-overlay"}
	return s.commitLayer(ctx, req, "cosa-bin-overlay", root)
}

// imageLayer commits the image configuration.
func (s *staging) imageLayer(ctx context.Context, req materialize.ComposeRequest, m *overrideManifest) error {
	files := req.ImageFiles()
	if len(files) == 0 {
		return nil
	}
	dir := s.file("image")
	for path, data := range files {
		file := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
	}
	const ref = "overlay/cosafs-image"
	m.Layers = append(m.Layers, ref)
	return s.commitLayer(ctx, req, ref, dir)
}

// commitLayer commits a directory as cosa does: owned by root, no bits that let
// others write or that change ids, but for what its statoverride file says.
func (s *staging) commitLayer(ctx context.Context, req materialize.ComposeRequest, ref, dir string) error {
	epoch := int64(0)
	if !req.Timestamp.IsZero() {
		epoch = req.Timestamp.Unix()
	}
	args := []string{
		"commit", "--repo=" + s.cfg.Repo, "--branch=" + ref, "--tree=dir=" + dir,
		"--owner-uid=0", "--owner-gid=0", "--no-xattrs", "--no-bindings", "--parent=none",
		fmt.Sprintf("--timestamp=@%d", epoch),
	}
	modes, err := layerModes(dir)
	if err != nil {
		return err
	}
	lists := map[string]string{"statoverride": modes}
	if _, err := os.Stat(filepath.Join(dir, "statoverride")); err == nil {
		lists["skip-list"] = "/statoverride\n" // ostree refuses to skip what is not there
	}
	for flag, data := range lists {
		file := s.file(strings.ReplaceAll(ref, "/", "-") + "." + flag)
		if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
			return err
		}
		args = append(args, "--"+flag+"="+file)
	}
	cmd := materialize.CommandContext(ctx, s.task, "ostree", args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, teeLog(s.task, &said)
	if err := cmd.Run(); err != nil {
		return ostreeFailure(ctx, "commit "+ref, said.String(), err)
	}
	return nil
}

// copyRepos stages the *.repo files and gives the ids in them.
func (s *staging) copyRepos() ([]string, error) {
	files, err := repoFiles(filepath.Dir(s.cfg.Manifest), s.cfg.Repos)
	if err != nil {
		return nil, err
	}
	var ids []string
	for i, f := range files {
		data, err := os.ReadFile(f.path)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(s.file(fmt.Sprintf("%02d-%s", i, filepath.Base(f.path))), data, 0o644); err != nil {
			return nil, err
		}
		for _, r := range f.repos {
			ids = append(ids, r.id)
		}
	}
	return ids, nil
}

// overridePackages makes a repository of overrides/rpm that wins over all
// others, and a lockfile that names exactly its packages.
func (s *staging) overridePackages(ctx context.Context) (bool, error) {
	rpms, err := overrideRPMs(s.cfg)
	if err != nil || len(rpms) == 0 {
		return false, err
	}
	dir := s.file("rpm")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return false, err
	}
	for _, rpm := range rpms {
		if err := linkOrCopy(rpm, filepath.Join(dir, filepath.Base(rpm))); err != nil {
			return false, err
		}
	}
	if _, err := s.output(ctx, "createrepo_c", "--quiet", dir); err != nil {
		return false, err
	}
	query := append([]string{"-qp", "--nosignature", "--qf", `%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}.%{ARCH}\n`}, rpms...)
	list, err := s.output(ctx, "rpm", query...)
	if err != nil {
		return false, err
	}
	s.lockfile = s.file("overrides.lock.json")
	if err := writeJSON(s.lockfile, overridesLock(list)); err != nil {
		return false, err
	}
	// The cost and the short expiry are cosa's: a package of the same version in
	// another repository loses, and a cached index of earlier overrides is not used.
	text := fmt.Sprintf("[%s]\nname=%[1]s\nbaseurl=file://%s\ngpgcheck=0\ncost=500\npriority=1\nmetadata_expire=1\n", overridesRepo, dir)
	return true, os.WriteFile(s.file(overridesRepo+".repo"), []byte(text), 0o644)
}

// overridesLock makes a lockfile of lines of name, tab, epoch:version-release.arch.
func overridesLock(list string) map[string]any {
	packages := map[string]any{}
	for line := range strings.Lines(list) {
		if name, evra, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			packages[name] = map[string]string{"evra": strings.TrimPrefix(evra, "0:")}
		}
	}
	return map[string]any{"packages": packages}
}

// output runs a tool that a person may have to install.
func (s *staging) output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := materialize.CommandContext(ctx, s.task, name, args...)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", materialize.Fail(materialize.ClassTool, "use overrides/rpm", "install "+name+"; are all files in overrides/rpm packages?", err)
	}
	return out.String(), nil
}

// linkOrCopy makes a second name for a file, or a copy on another file system.
func linkOrCopy(from, to string) error {
	if err := os.Link(from, to); err == nil {
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

func writeJSON(file string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}
