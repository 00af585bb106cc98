package page

import (
	"io/fs"
	"net/url"
	"strings"

	"cosafs/index"
	"cosafs/materialize"
)

// href is the address of a path of the tree; those of directories end with a slash.
func href(path string, dir bool) string {
	u := url.URL{Path: "/" + path}
	if dir && path != "" {
		u.Path += "/"
	}
	return u.EscapedPath()
}

// question is the address of a page below [Prefix] with its arguments: names and
// values in turn. Those without a value are left out.
func question(page string, args ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(args); i += 2 {
		if args[i+1] != "" {
			q.Set(args[i], args[i+1])
		}
	}
	if len(q) == 0 {
		return Prefix + page
	}
	return Prefix + page + "?" + q.Encode()
}

func jobURL(id string) string    { return Prefix + "jobs/" + url.PathEscape(id) }
func planURL(path string) string { return question("plan", "path", path) }

// watchURL is a job's page that goes on to the path's bytes when they are there.
func watchURL(job, path string) string {
	return jobURL(job) + "?" + url.Values{"path": {path}, "download": {"1"}}.Encode()
}

// join gives a path below a directory of the tree.
func join(dir, name string) string { return strings.TrimPrefix(dir+"/"+name, "/") }

// treePath says whether a path from outside names something in the tree. What
// passes can't leave the site as an address.
func treePath(path string) bool { return path != "" && path != "." && fs.ValidPath(path) }

// targetPath is the path by which what a job makes is found, "" if it has none.
func targetPath(t materialize.Target) string {
	kind, format := materialize.SplitKind(t.Kind)
	name := index.ShortName(index.Kind(kind))
	if name != "" && format != "" && format != materialize.Plain {
		name += "." + format
	}
	path := t.Build + "/" + t.Arch + "/" + name
	if name == "" || t.Build == "" || t.Arch == "" || !treePath(path) {
		return ""
	}
	return path
}

// trail is the way from the top to a directory of the tree.
func trail(path string) []crumb {
	list := []crumb{{"Builds", "/"}}
	if path == "" {
		return list
	}
	at := ""
	for name := range strings.SplitSeq(path, "/") {
		at = join(at, name)
		list = append(list, crumb{name, href(at, true)})
	}
	return list
}
