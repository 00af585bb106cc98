package compose

import (
	"bufio"
	"context"
	_ "embed" // dnf_driver.py
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"cosafs/materialize"
)

//go:embed dnf_driver.py
var driverSource string

// rpmdbPath is where OSTree systems keep the package database: below /usr,
// since it belongs to the commit.
const rpmdbPath = "usr/share/rpm"

// rpmMacros are the settings of rpm that have no option. Debian's rpm has its
// database in the home directory and can't check every OpenPGP signature; dnf
// checks them where the repository asks for it. rpm must not set the owner and
// mode of what is mounted while it runs.
const rpmMacros = "%%_dbpath /" + rpmdbPath + `
%%_db_backend sqlite
%%_pkgverify_level digest
%%_netsharedpath /proc:/dev:/run:/tmp
%s`

// settings are what the driver is told.
type settings struct {
	Root         string              `json:"root"`
	Cache        string              `json:"cache"`
	State        string              `json:"state"`
	RPMDB        string              `json:"rpmdb"`
	RepoDirs     []string            `json:"reposdirs"`
	Repos        []string            `json:"repos"`
	Vars         map[string]string   `json:"vars"`
	Releasever   string              `json:"releasever"`
	Arch         string              `json:"arch"`
	Packages     []string            `json:"packages"`
	RepoPackages [][2]string         `json:"repo_packages"`
	Exclude      []string            `json:"exclude"`
	Locks        map[string]lockedAt `json:"locks"`
	Weak         bool                `json:"weak"`
	Docs         bool                `json:"docs"`
	Overrides    string              `json:"overrides"` // directory of a repository, "" if none
}

// A driver is the running dnf_driver.py.
type driver struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Scanner
	trouble *scanner
}

// startDriver starts the driver in the tree's namespace.
func (c *composition) startDriver(ctx context.Context) (*driver, error) {
	python, err := dnfPython()
	if err != nil {
		return nil, err
	}
	opt, err := c.settings(ctx)
	if err != nil {
		return nil, err
	}
	home, err := c.home()
	if err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	// Its network is the host's: it downloads.
	cmd := inTree(ctx, c.task, c.root, true, python, "-I", "-c", driverSource)
	cmd.Env = append(cmd.Env, "HOME="+home, "LC_ALL=C.UTF-8", "PATH="+systemPath)
	s := &driver{cmd: cmd, trouble: &scanner{}}
	cmd.Stderr = teeLog(c.task, s.trouble)
	cmd.Stdout = nil
	if s.in, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, materialize.Fail(materialize.ClassTool, "compose", "install util-linux, which has unshare", err)
	}
	s.answers = bufio.NewScanner(out)
	s.answers.Buffer(nil, 64<<20) // the answer with all packages is one line
	if err := json.NewEncoder(s.in).Encode(opt); err != nil {
		s.stop()
		return nil, s.died(err)
	}
	return s, nil
}

// systemPath has the system's programs only: another python in PATH has no dnf.
const systemPath = "/usr/sbin:/usr/bin:/sbin:/bin"

// dnfPython gives the interpreter that dnf itself runs on.
func dnfPython() (string, error) {
	missing := func(err error) error {
		return materialize.Fail(materialize.ClassTool, "compose",
			"install rpm-ostree, or dnf: apt install dnf createrepo-c, or dnf install python3-dnf", err)
	}
	path, err := exec.LookPath("dnf")
	if err != nil {
		return "", missing(err)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", missing(err)
	}
	defer func() { _ = f.Close() }() // was only read
	line, err := bufio.NewReader(io.LimitReader(f, 256)).ReadString('\n')
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if err != nil || !strings.HasPrefix(line, "#!") || len(words) == 0 {
		return "/usr/bin/python3", nil // dnf 5 is no script; python3-dnf may be there all the same
	}
	return words[0], nil
}

// home makes the private home directory whose .rpmmacros rpm reads.
func (c *composition) home() (string, error) {
	langs := ""
	if len(c.tf.InstallLangs) > 0 {
		langs = "%_install_langs " + strings.Join(c.tf.InstallLangs, ":") + "\n"
	}
	dir := filepath.Join(c.task.Scratch, "home")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, ".rpmmacros"), fmt.Appendf(nil, rpmMacros, langs), 0o600)
}

// settings gives what the driver is told, with every directory that it needs.
func (c *composition) settings(ctx context.Context) (settings, error) {
	overrides, err := c.overridesRepo(ctx)
	if err != nil {
		return settings{}, err
	}
	locks, err := readLocks(c.cfg)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		Root: c.root, RPMDB: rpmdbPath, Cache: filepath.Join(c.cfg.Cache, "cosafs", "dnf"),
		State:    filepath.Join(c.task.Scratch, "dnf"),
		RepoDirs: []string{filepath.Dir(c.cfg.Manifest), c.cfg.Repos}, Repos: notNil(c.tf.Repos),
		Vars: c.tf.RepoVars, Releasever: c.tf.Releasever, Arch: c.cfg.Arch,
		Packages: notNil(c.tf.Packages), Exclude: notNil(c.tf.ExcludePackages), Locks: locks,
		RepoPackages: [][2]string{}, Weak: c.tf.Recommends, Docs: c.tf.Documentation, Overrides: overrides,
	}
	if s.Vars == nil {
		s.Vars = map[string]string{}
	}
	for _, rp := range c.tf.RepoPackages {
		for _, p := range rp.Packages {
			s.RepoPackages = append(s.RepoPackages, [2]string{rp.Repo, p})
		}
	}
	for _, dir := range []string{s.Root, s.Cache, s.State} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return settings{}, fmt.Errorf("compose: %w", err)
		}
	}
	return s, nil
}

// notNil makes an empty list of none: JSON has null for that.
func notNil(list []string) []string { return append([]string{}, list...) }

// An answer is one line of the driver.
type answer struct {
	Event   string   `json:"event"`
	Kind    string   `json:"kind"`
	Message string   `json:"message"`
	Name    string   `json:"name"`
	Names   []string `json:"names"`
	What    string   `json:"what"`
	Done    int64    `json:"done"`
	Total   int64    `json:"total"`
	solution
}

// solve waits for the packages that would be installed.
func (s *driver) solve() (solution, error) {
	a, err := s.next()
	if err != nil {
		return solution{}, err
	}
	return a.solution, nil
}

// install lets the driver go on and waits until everything is installed.
func (s *driver) install(t *materialize.Task) error {
	t.Phase("install packages", 0)
	if _, err := io.WriteString(s.in, "go\n"); err != nil {
		return s.died(err)
	}
	for {
		a, err := s.next()
		if err != nil {
			return err
		}
		if a.Event == "done" {
			break
		}
		if t.Progress != nil && a.Total > 0 {
			t.Progress(a.What, float64(a.Done)/float64(a.Total))
		}
	}
	if err := errors.Join(s.in.Close(), s.cmd.Wait()); err != nil {
		return s.died(err)
	}
	return s.trouble.failure()
}

// next reads an answer; an error that the driver tells is a *driverError.
func (s *driver) next() (answer, error) {
	var a answer
	if !s.answers.Scan() {
		return a, s.died(errors.Join(s.answers.Err(), s.cmd.Wait()))
	}
	if err := json.Unmarshal(s.answers.Bytes(), &a); err != nil {
		return a, s.died(err)
	}
	if a.Event == "error" {
		_ = s.cmd.Wait() // it is ending; from here on its output is complete
		return a, &driverError{kind: a.Kind, message: a.Message, name: a.Name, trouble: s.trouble}
	}
	return a, nil
}

// died says that the driver ended before its time.
func (s *driver) died(err error) error {
	return &driverError{kind: "died", message: s.trouble.last, err: err, trouble: s.trouble}
}

// stop ends the driver if it still runs. It leaves at the end of its input.
func (s *driver) stop() {
	_ = s.in.Close()
	_ = s.cmd.Wait() // an error was told, or does not matter any more
}
