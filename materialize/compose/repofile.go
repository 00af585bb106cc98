package compose

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A repoFile is a *.repo file with the repositories that it defines.
type repoFile struct {
	path  string
	repos []repository
}

// A repository is one section of a *.repo file.
type repository struct{ id, baseurl string }

// repoFiles reads the *.repo files of the directories, sorted by name within
// each. Directories that are missing count as empty.
func repoFiles(dirs ...string) ([]repoFile, error) {
	var out []repoFile
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".repo") {
				continue
			}
			path := filepath.Join(dir, e.Name())
			data, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			out = append(out, repoFile{path, parseRepos(data)})
		}
	}
	return out, nil
}

// parseRepos reads the keys that we need of an INI file; the engines read the rest.
func parseRepos(data []byte) []repository {
	var out []repository
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			out = append(out, repository{id: line[1 : len(line)-1]})
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if ok && len(out) > 0 && strings.TrimSpace(name) == "baseurl" {
			out[len(out)-1].baseurl = strings.TrimSpace(value)
		}
	}
	return out
}

// wanted says whether the treefile uses a repository: it names it, or names none.
func (t *Treefile) wanted(id string) bool {
	if len(t.Repos) == 0 || slices.Contains(t.Repos, id) || slices.Contains(t.LockfileRepos, id) {
		return true
	}
	return slices.ContainsFunc(t.RepoPackages, func(rp RepoPackages) bool { return rp.Repo == id })
}

// repoVariable is $name or ${name} in a *.repo file.
var repoVariable = regexp.MustCompile(`\$\{?([A-Za-z0-9_]+)\}?`)

// localRepo gives the directory of a file:// repository.
func (t *Treefile) localRepo(r repository) (dir string, ok bool) {
	expanded := repoVariable.ReplaceAllStringFunc(r.baseurl, func(text string) string {
		switch name := strings.Trim(text, "${}"); name {
		case "releasever":
			return t.Releasever
		case "basearch", "arch":
			return t.Arch
		default:
			if v, ok := t.RepoVars[name]; ok {
				return v
			}
			return text
		}
	})
	u, err := url.Parse(expanded)
	if err != nil || u.Scheme != "file" {
		return "", false
	}
	return u.Path, true
}
