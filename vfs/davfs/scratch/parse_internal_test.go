package scratch

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParseName holds for every path: what is let through stays in the
// directory, outside of its state, and can be said as a URL that means the same.
func FuzzParseName(f *testing.F) {
	for _, p := range []string{
		"/upload", "/upload/", "/upload/a/b/", "/upload//a", "/upload/../a", "/upload/a/./b", "/uploadx", "/upload/.cosafs/x", "/upload/%41", "/upload/a\x00", "/upload/ä", "/upload/\xff",
	} {
		f.Add("/upload", p)
	}
	f.Add("", "/a")
	f.Fuzz(func(t *testing.T, prefix, p string) {
		name, err := parseName(prefix, p)
		if err != nil {
			if s := statusOf(err); s < 400 || s >= 500 {
				t.Errorf("%q: status %d", p, s)
			}
			return
		}
		if !filepath.IsLocal(name) || filepath.Clean(name) != name || strings.ContainsRune(name, 0) {
			t.Errorf("%q is %q", p, name)
		}
		if within(name, stateDir) {
			t.Errorf("%q is %q, in the state directory", p, name)
		}
		if !strings.HasPrefix(prefix, "/") {
			return // a prefix that no server has
		}
		u, err := url.Parse((&Collection{prefix: prefix}).href(name, false))
		if err != nil {
			t.Fatalf("href of %q: %v", name, err)
		}
		if back, err := parseName(prefix, u.Path); strings.HasPrefix(u.Path, prefix) && (err != nil || back != name) {
			t.Errorf("%q is %q, whose URL %s is %q, %v", p, name, u, back, err)
		}
	})
}

func TestParseIf(t *testing.T) {
	for header, want := range map[string][]ifList{
		"(<a>)":                       {{facts: []fact{{token: "a"}}}},
		"(<a> [\"e\"]) (Not <b>)":     {{facts: []fact{{token: "a"}, {etag: `"e"`}}}, {facts: []fact{{not: true, token: "b"}}}},
		"<u> (<a>)(<b>) <v>(<c>)":     {{tag: "u", facts: []fact{{token: "a"}}}, {tag: "u", facts: []fact{{token: "b"}}}, {tag: "v", facts: []fact{{token: "c"}}}},
		"\t( not[W/\"e\"]<a> ) ":      {{facts: []fact{{not: true, etag: `W/"e"`}, {token: "a"}}}},
		"":                            nil,
		"()":                          nil,
		"<u>":                         nil,
		"<u> <v> (<a>)":               nil,
		"(<a>":                        nil,
		"(<>)":                        nil,
		"(Not)":                       nil,
		"(a)":                         nil,
		"(<a>) x":                     nil,
		strings.Repeat("(<a>)", 2000): nil,
	} {
		got, err := parseIf(header)
		if (err == nil) != (want != nil) {
			t.Errorf("%.40q: %v", header, err)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(ifList{}, fact{})); err == nil && d != "" {
			t.Errorf("%.40q: %s", header, d)
		}
	}
}

// FuzzParseIf holds for every header: each list has facts, each fact is a token
// or an entity tag, and writing them again means the same.
func FuzzParseIf(f *testing.F) {
	for _, h := range []string{"(<a>)", `<u> (Not <a> ["e"]) (<b>)`, "(<a>", "()", "(Not Not <a>)"} {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, header string) {
		lists, err := parseIf(header)
		if err != nil {
			return
		}
		again, err := parseIf(writeIf(lists))
		if d := cmp.Diff(lists, again, cmp.AllowUnexported(ifList{}, fact{})); d != "" || err != nil {
			t.Errorf("%q: %v %s", header, err, d)
		}
	})
}

// writeIf writes lists as a header.
func writeIf(lists []ifList) string {
	var b strings.Builder
	for _, l := range lists {
		if l.tag != "" {
			b.WriteString("<" + l.tag + ">")
		}
		b.WriteString("(")
		for _, f := range l.facts {
			if f.not {
				b.WriteString("Not ")
			}
			if f.token != "" {
				b.WriteString("<" + f.token + ">")
			} else {
				b.WriteString("[" + f.etag + "]")
			}
		}
		b.WriteString(")")
	}
	return b.String()
}

func TestStatusOfUnknown(t *testing.T) {
	if got := statusOf(cmpError{}); got != http.StatusInternalServerError {
		t.Errorf("status %d", got)
	}
	if _, text := explain(cmpError{}, http.StatusInternalServerError); strings.Contains(text, "secret") {
		t.Errorf("it tells %q", text)
	}
}

type cmpError struct{}

func (cmpError) Error() string { return "secret" }
