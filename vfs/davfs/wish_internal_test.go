package davfs

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"cosafs/vfs"
)

// TestBodies is what a PROPFIND's body may be: each with how many properties it
// names that are known, and that are not.
func TestBodies(t *testing.T) {
	usual, every := len(usual()), len(every())
	for _, c := range []struct {
		name, body     string
		known, unknown int
	}{
		{"empty", "", usual, 0},
		{"white space", " \r\n", usual, 0},
		{"allprop", `<propfind xmlns="DAV:"><allprop/></propfind>`, usual, 0},
		{"propname", `<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>`, every, 0},
		{"byte order mark", "\ufeff" + `<propfind xmlns="DAV:"><allprop/></propfind>`, usual, 0},
		{"comments", `<?xml version="1.0" encoding="utf-8"?><!-- a --><propfind xmlns="DAV:"><!-- b --><allprop/></propfind><!-- c --> `, usual, 0},
		{"prop", `<a:propfind xmlns:a="DAV:" xmlns:b="DAV:"><a:prop><a:getetag/><b:displayname/><a:x/></a:prop></a:propfind>`, 2, 1},
		{"twice the same", `<propfind xmlns="DAV:"><prop><getetag/><getetag/><x/><x/></prop></propfind>`, 1, 1},
		{"other namespace", `<propfind xmlns="DAV:"><prop><getetag xmlns="urn:a"/><getetag xmlns=""/></prop></propfind>`, 0, 2},
		{"prefix within", `<propfind xmlns="DAV:"><prop><p:getetag xmlns:p="DAV:"><x xmlns:p="y"/></p:getetag></prop></propfind>`, 1, 0},
		{"include", `<propfind xmlns="DAV:"><allprop/><include><state xmlns="urn:x-cosafs:"/><getetag/><x/></include></propfind>`, usual + 1, 0},
		{"extensions", `<propfind xmlns="DAV:" a="b"><x:y xmlns:x="z"><allprop/></x:y>text<allprop>&lt;</allprop></propfind>`, usual, 0},
		{"nothing", `<propfind xmlns="DAV:"><prop/></propfind>`, 0, 0},
	} {
		got, err := parseWish([]byte(c.body))
		if err != nil || len(got.known) != c.known || len(got.unknown) != c.unknown {
			t.Errorf("%s: %d known, %d unknown, %v, want %d, %d", c.name, len(got.known), len(got.unknown), err, c.known, c.unknown)
		}
	}
}

func TestBodiesThatAreRefused(t *testing.T) {
	many := strings.Builder{}
	for i := range maxProperties + 1 {
		fmt.Fprintf(&many, "<a%d/>", i)
	}
	for name, body := range map[string]string{
		"no XML":             "hello",
		"cut":                `<propfind xmlns="DAV:"><allprop/>`,
		"cut in a tag":       `<propfind xmlns="DAV:"><allprop`,
		"not closed":         `<propfind xmlns="DAV:"><prop></propfind>`,
		"empty prefix":       `<propfind xmlns="DAV:"><prop><x:y xmlns:x=""/></prop></propfind>`,
		"undeclared prefix":  `<propfind xmlns="DAV:"><prop><x:y/></prop></propfind>`,
		"prefix out of use":  `<propfind xmlns="DAV:"><prop><a xmlns:x="b"/><x:y/></prop></propfind>`,
		"other root":         `<proppatch xmlns="DAV:"><allprop/></proppatch>`,
		"root of no space":   `<propfind><allprop/></propfind>`,
		"two roots":          `<propfind xmlns="DAV:"><allprop/></propfind><propfind xmlns="DAV:"/>`,
		"text behind":        `<propfind xmlns="DAV:"><allprop/></propfind>x`,
		"no question":        `<propfind xmlns="DAV:"></propfind>`,
		"two questions":      `<propfind xmlns="DAV:"><allprop/><propname/></propfind>`,
		"document type":      `<!DOCTYPE propfind SYSTEM "http://example.com/x.dtd"><propfind xmlns="DAV:"><allprop/></propfind>`,
		"laughs":             `<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><propfind xmlns="DAV:"><allprop/>&b;</propfind>`,
		"external entity":    `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><propfind xmlns="DAV:"><prop><y>&a;</y></prop></propfind>`,
		"unknown entity":     `<propfind xmlns="DAV:"><allprop/>&nbsp;</propfind>`,
		"deep":               `<propfind xmlns="DAV:">` + strings.Repeat("<a>", maxDepth) + strings.Repeat("</a>", maxDepth) + `<allprop/></propfind>`,
		"very deep":          strings.Repeat("<a>", maxBody/3),
		"many":               `<propfind xmlns="DAV:"><prop>` + many.String() + `</prop></propfind>`,
		"long name":          `<propfind xmlns="DAV:"><prop><` + strings.Repeat("a", maxName+1) + `/></prop></propfind>`,
		"long namespace":     `<propfind xmlns="DAV:"><prop><a xmlns="` + strings.Repeat("a", maxName+1) + `"/></prop></propfind>`,
		"name of two colons": `<propfind xmlns="DAV:"><prop><a:b:c xmlns:a="d"/></prop></propfind>`,
		"name is a colon":    `<propfind xmlns="DAV:"><prop><:/></prop></propfind>`,
		"local is a number":  `<propfind xmlns="DAV:"><prop><a:1 xmlns:a="d"/></prop></propfind>`,
		"other encoding":     `<?xml version="1.0" encoding="utf-16"?><propfind xmlns="DAV:"><allprop/></propfind>`,
		"not UTF-8":          "<propfind xmlns=\"DAV:\"><allprop/>\xff</propfind>",
		"control character":  "<propfind xmlns=\"DAV:\"><allprop/>\x01</propfind>",
	} {
		if got, err := parseWish([]byte(body)); !errors.Is(err, errXML) {
			t.Errorf("%s: %+v, %v, want a refusal", name, got, err)
		}
	}
}

// FuzzWish: any body is refused, or answered with XML that is well-formed and
// tells once of each property that was asked for.
func FuzzWish(f *testing.F) {
	for _, s := range []string{
		"", `<propfind xmlns="DAV:"><allprop/></propfind>`, `<propfind xmlns="DAV:"><propname/></propfind>`,
		`<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/><x:y xmlns:x="&quot;&lt;'"/><z/></D:prop></D:propfind>`,
		`<propfind xmlns="DAV:"><prop><é:ü xmlns:é="a"/></prop><include><b/></include></propfind>`, `<!DOCTYPE a>`, `<a:b xmlns:a=""/>`,
	} {
		f.Add([]byte(s))
	}
	r := resource{path: "a/b", name: "b", attr: vfs.Attr{Ino: 1, Size: 5, Mode: fs.ModeDir}}
	f.Fuzz(func(t *testing.T, body []byte) {
		wanted, err := parseWish(body)
		if err != nil {
			if !errors.Is(err, errXML) {
				t.Errorf("%v is no refusal", err)
			}
			return
		}
		var out strings.Builder
		m := newMultistatus(&out, wanted)
		m.add(&r)
		if err := m.close(); err != nil {
			t.Fatal(err)
		}
		told := propertiesOf(t, out.String())
		for _, name := range wanted.unknown {
			if !slices.Contains(told, name) {
				t.Errorf("nothing is told of %v in %s", name, out.String())
			}
		}
		if n := len(wanted.known) + len(wanted.unknown); wanted.byName && len(told) != n {
			t.Errorf("%d properties are told of, want %d", len(told), n)
		}
	})
}

// propertiesOf lists the properties in an answer, which must be well-formed.
func propertiesOf(t *testing.T, answer string) []xml.Name {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(answer))
	var names []xml.Name
	var open []xml.Name
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatalf("%v in %s", err, answer)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if n := len(open); n > 0 && open[n-1] == davName("prop") {
				names = append(names, token.Name)
			}
			open = append(open, token.Name)
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}
