package scratch_test

import (
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"cosafs/test/need"
	"cosafs/vfs/davfs/scratch"
)

// suites are litmus's, and how many tests each has in litmus 0.13.
var suites = []struct {
	name  string
	tests int
}{
	{"basic", 16}, {"copymove", 13}, {"props", 30}, {"locks", 41}, {"http", 4},
}

var (
	summary = regexp.MustCompile(`<- summary for .(\w+).: of (\d+) tests run: (\d+) passed, (\d+) failed`)
	skipped = regexp.MustCompile(`-> (\d+) tests? (?:was|were) skipped`)
	warned  = regexp.MustCompile(`WARNING:.*`)
)

// TestLitmus runs the WebDAV server test suite: 104 tests, of which none may
// fail, be skipped or warn.
func TestLitmus(t *testing.T) {
	need.Tool(t, "litmus")
	for _, suite := range suites {
		t.Run(suite.name, func(t *testing.T) {
			s := serve(t, scratch.Config{})
			cmd := exec.CommandContext(t.Context(), "litmus", "-k", s.url(""))
			cmd.Dir = t.TempDir() // for its logs
			cmd.Env = append(cmd.Environ(), "TESTS="+suite.name)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("litmus: %v\n%s", err, out)
			}
			judge(t, suite.name, suite.tests, string(out))
		})
	}
}

// judge reads what litmus says.
func judge(t *testing.T, suite string, tests int, out string) {
	t.Helper()
	m := summary.FindStringSubmatch(out)
	if m == nil || m[1] != suite {
		t.Fatalf("no summary for %s:\n%s", suite, out)
	}
	want := strconv.Itoa(tests)
	if m[2] != want || m[3] != want || m[4] != "0" || skipped.MatchString(out) {
		t.Errorf("%s of %s tests passed, %s failed; want all of %s\n%s", m[3], m[2], m[4], want, out)
	}
	if w := warned.FindAllString(out, -1); w != nil {
		t.Errorf("warnings: %q", w)
	}
}
