package test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents gives the text of README.md and doc/*.md by path below the
// repository.
func documents(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../doc/*.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{}
	for _, file := range append(files, "../README.md") {
		docs[strings.TrimPrefix(file, "../")] = readText(t, file)
	}
	return docs
}

func readText(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tableRows gives the cells of every row of the tables in a text, without
// headings.
func tableRows(text string) [][]string {
	var rows [][]string
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		heading := i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|--")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|--") || heading {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

var (
	codeBlock = regexp.MustCompile("(?s)```.*?```")
	quoted    = regexp.MustCompile("`([^`]+)`")
)

// quotes gives what stands between backquotes, but for blocks of code.
func quotes(text string) []string {
	var all []string
	for _, m := range quoted.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		all = append(all, m[1])
	}
	return all
}

// Every behaviour that SEMANTICS.md promises names tests, and they exist.
func TestEveryPromiseHasItsTest(t *testing.T) {
	rows := tableRows(documents(t)["doc/SEMANTICS.md"])
	if len(rows) < 50 {
		t.Errorf("%d promises are found, want the document's", len(rows))
	}
	for _, row := range rows {
		proofs := quotes(row[len(row)-1])
		if len(row) != 2 || len(proofs) == 0 {
			t.Errorf("no proof: %q", row)
		}
		for _, proof := range proofs {
			if why := unproven(t, proof); why != "" {
				t.Errorf("%s: %s (%s)", proof, why, row[0])
			}
		}
	}
}

// unproven says why a proof is none; "" if it is one.
func unproven(t *testing.T, proof string) string {
	t.Helper()
	kind, name, isCase := strings.Cut(proof, ": ")
	switch {
	case isCase && kind == "script":
		return absent(filepath.Join("../cmd/cosafs/testdata/script", name+".txtar"))
	case isCase:
		dir := map[string]string{"vfstest": "vfs/vfstest", "backendtest": "backend/backendtest"}[kind]
		return notIn(sources(t, dir, "*.go"), fmt.Sprintf("{%q", name), fmt.Sprintf("{Name: %q", name))
	}
	dir, name, _ := strings.Cut(proof, " ")
	name, sub, hasSub := strings.Cut(name, "/")
	text := sources(t, dir, "*_test.go")
	if why := notIn(text, "\nfunc "+name+"(t *testing.T)", "\nfunc "+name+"(f *testing.F)"); why != "" || !hasSub {
		return why
	}
	return notIn(text, fmt.Sprintf("%q", sub))
}

// notIn says that none of the strings is in a text; "" if one is.
func notIn(text string, anyOf ...string) string {
	if slices.ContainsFunc(anyOf, func(s string) bool { return strings.Contains(text, s) }) {
		return ""
	}
	return "there is no such test"
}

// sources gives the Go files of a package, one after the other.
func sources(t *testing.T, dir, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		all.WriteString(readText(t, file))
	}
	return all.String()
}

// helpText runs the program with arguments that print.
func helpText(t *testing.T, args ...string) string {
	t.Helper()
	buildProgram(t)
	cmd := exec.CommandContext(t.Context(), shared.cosafs, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME=", "COSAFS_CONFIG=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cosafs %q: %v", args, err)
	}
	return string(out)
}

// section gives what stands below a heading, up to the next one.
func section(text, heading string) string {
	_, after, _ := strings.Cut(text, heading+"\n")
	before, _, _ := strings.Cut(after, "\n## ")
	return before
}

// The README's table of commands has all commands of the program, and no other.
func TestReadmeNamesEveryCommand(t *testing.T) {
	program := commands(t)
	written := map[string]bool{}
	for _, row := range tableRows(section(documents(t)["README.md"], "## Commands")) {
		for _, name := range quotes(row[0]) {
			written[strings.Fields(name)[0]] = true
		}
	}
	for name := range written {
		if !program[name] {
			t.Errorf("README.md has the command %s, the program doesn't", name)
		}
	}
	for name := range program {
		if !written[name] {
			t.Errorf("README.md lacks the command %s", name)
		}
	}
}

// commands lists the program's, by their first names.
func commands(t *testing.T) map[string]bool {
	t.Helper()
	_, after, _ := strings.Cut(helpText(t, "--help"), "\nCOMMANDS:\n")
	before, _, _ := strings.Cut(after, "\n\n")
	names := map[string]bool{}
	for line := range strings.Lines(before) {
		name, _, _ := strings.Cut(strings.Fields(line)[0], ",")
		names[name] = true
	}
	return names
}

// exitCodes gives what --help says of them.
func exitCodes(t *testing.T) map[string]string {
	t.Helper()
	codes := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^   (\d+) +(\S.*)$`).FindAllStringSubmatch(helpText(t, "--help"), -1) {
		codes[m[1]] = m[2]
	}
	return codes
}

func TestReadmeHasTheExitCodes(t *testing.T) {
	want, got := exitCodes(t), map[string]string{}
	for _, row := range tableRows(section(documents(t)["README.md"], "## Commands")) {
		if len(row) == 2 && !strings.Contains(row[0], "`") {
			got[row[0]] = row[1]
		}
	}
	if len(want) == 0 || !maps.Equal(got, want) {
		t.Errorf("README.md has the exit codes %q, the program %q", got, want)
	}
}

// Sessions that the documents show call commands that exist.
func TestSessionsCallCommands(t *testing.T) {
	known := commands(t)
	call := regexp.MustCompile(`(?m)^\$ cosafs (?:-C \S+ )?([a-z]\S*)`)
	for file, text := range documents(t) {
		for _, m := range call.FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				t.Errorf("%s: there is no command %q", file, m[1])
			}
		}
	}
}

// doc/cosafs.8 is what make man gives now.
func TestManualIsCurrent(t *testing.T) {
	if readText(t, "../doc/cosafs.8") != helpText(t, "man") {
		t.Error("doc/cosafs.8 is out of date: make man")
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)
	for file, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if why := absent(filepath.Join("..", filepath.Dir(file), m[1])); why != "" {
				t.Errorf("%s links to %s: %s", file, m[1], why)
			}
		}
	}
}

// What the documents tell people to make is in the Makefile.
func TestMakefileHasTheTargets(t *testing.T) {
	makefile := readText(t, "../Makefile")
	call := regexp.MustCompile("(?m)(?:^|`)make ([a-z][a-z-]*)")
	for file, text := range documents(t) {
		for _, m := range call.FindAllStringSubmatch(text, -1) {
			if why := notIn("\n"+makefile, "\n"+m[1]+":"); why != "" {
				t.Errorf("%s: the Makefile has no target %s", file, m[1])
			}
		}
	}
}

// Names of the code that the documents mention are in the code.
func TestNamesOfTheCodeExist(t *testing.T) {
	name := regexp.MustCompile(`^([a-z]+)\.([A-Z]\w*)$`)
	dirs := packages(t)
	for file, text := range documents(t) {
		for _, q := range quotes(text) {
			m := name.FindStringSubmatch(q)
			if m == nil || dirs[m[1]] == "" {
				continue
			}
			if !regexp.MustCompile(`(?m)^(type |var |const |\t|func (\([^)]*\) )?)` + m[2] + `\b`).MatchString(sources(t, dirs[m[1]], "*.go")) {
				t.Errorf("%s: there is no %s", file, q)
			}
		}
	}
}

// packages gives the directories of the module's packages by their names.
func packages(t *testing.T) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Name}} {{.ImportPath}}", "cosafs/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	dirs := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		dirs[name] = strings.TrimPrefix(path, "cosafs/")
	}
	return dirs
}

// Every module that go.mod requires directly has its reason in DECISIONS.md.
func TestDependenciesHaveReasons(t *testing.T) {
	var required, explained []string
	for line := range strings.Lines(readText(t, "../go.mod")) {
		if f := strings.Fields(line); len(f) == 2 && strings.HasPrefix(line, "\t") {
			required = append(required, f[0])
		}
	}
	for _, row := range tableRows(section(documents(t)["doc/DECISIONS.md"], "## Dependencies")) {
		if row[1] != "" {
			explained = append(explained, row[0])
		}
	}
	slices.Sort(explained)
	slices.Sort(required)
	if !slices.Equal(required, explained) {
		t.Errorf("go.mod requires %q, DECISIONS.md explains %q", required, explained)
	}
}
