package page_test

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// A document is a page as a program reads it, with everything that is wrong with it.
type document struct {
	wrong    []string
	links    []string
	root     *html.Node
	labels   map[string]bool // ids that a label names
	ids      map[string]bool
	refs     []string // ids that attributes refer to
	h1       int
	landmark map[string]int
}

// parse reads a page: strictly for its tags, then for what people need of it.
func parse(text string) (*document, error) {
	d := &document{labels: map[string]bool{}, ids: map[string]bool{}, landmark: map[string]int{}}
	d.balance(text)
	root, err := html.ParseWithOptions(strings.NewReader(text), html.ParseOptionEnableScripting(false))
	if err != nil {
		return nil, err
	}
	d.root = root
	nodes := slices.Collect(root.Descendants())
	for _, n := range nodes {
		if n.Type == html.ElementNode {
			d.note(n)
		}
	}
	for _, n := range nodes {
		if n.Type == html.ElementNode {
			d.check(n)
		}
	}
	if d.h1 != 1 {
		d.blame("%d h1", d.h1)
	}
	for _, name := range []string{"main", "header", "footer"} {
		if d.landmark[name] != 1 {
			d.blame("%d %s", d.landmark[name], name)
		}
	}
	for _, id := range d.refs {
		if !d.ids[id] {
			d.blame("nothing has the id %s", id)
		}
	}
	return d, nil
}

func (d *document) blame(format string, args ...any) {
	d.wrong = append(d.wrong, fmt.Sprintf(format, args...))
}

// void are the elements without an end tag.
var void = map[string]bool{"meta": true, "link": true, "input": true, "br": true, "hr": true, "img": true}

// balance checks that every tag is closed in its turn, which browsers would forgive.
func (d *document) balance(text string) {
	z := html.NewTokenizer(strings.NewReader(text))
	var open []string
	for {
		switch z.Next() {
		case html.ErrorToken:
			if z.Err() != io.EOF { //nolint:errorlint // the tokenizer gives it bare
				d.blame("%v", z.Err())
			}
			if len(open) > 0 {
				d.blame("not closed: %v", open)
			}
			return
		case html.StartTagToken:
			if name, _ := z.TagName(); !void[string(name)] {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				d.blame("</%s> within %v", name, open)
				return
			}
			open = open[:len(open)-1]
		}
	}
}

// note collects what other elements refer to.
func (d *document) note(n *html.Node) {
	d.landmark[n.Data]++
	if n.DataAtom == atom.H1 {
		d.h1++
	}
	seen := map[string]bool{}
	for _, a := range n.Attr {
		if seen[a.Key] {
			d.blame("<%s> has %s twice", n.Data, a.Key)
		}
		seen[a.Key] = true
		switch a.Key {
		case "id":
			if d.ids[a.Val] {
				d.blame("the id %s is there twice", a.Val)
			}
			d.ids[a.Val] = true
		case "for":
			d.labels[a.Val] = true
			d.refs = append(d.refs, a.Val)
		case "aria-labelledby", "aria-describedby", "data-log":
			d.refs = append(d.refs, a.Val)
		}
	}
}

// check looks for what the policy forbids and people can't use.
func (d *document) check(n *html.Node) {
	for _, a := range n.Attr {
		switch {
		case strings.HasPrefix(a.Key, "on"), a.Key == "style":
			d.blame("<%s %s=%q>", n.Data, a.Key, a.Val)
		case a.Key == "href", a.Key == "src", a.Key == "action":
			d.link(a.Val)
		case a.Key == "data-wait", a.Key == "data-start" && a.Val != "":
			d.link(a.Val)
		}
	}
	switch n.DataAtom {
	case atom.Style:
		d.blame("a style element")
	case atom.Script:
		if attr(n, "src") == "" || n.FirstChild != nil {
			d.blame("a script in the page")
		}
	case atom.Input, atom.Select, atom.Textarea:
		if attr(n, "type") != "hidden" && !d.labels[attr(n, "id")] {
			d.blame("no label for %s", attr(n, "name"))
		}
	case atom.Button, atom.A:
		if strings.TrimSpace(words(n)) == "" {
			d.blame("an empty %s", n.Data)
		}
	case atom.Th:
		if attr(n, "scope") == "" {
			d.blame("a table heading without a scope: %s", words(n))
		}
	case atom.Progress, atom.Nav:
		if attr(n, "aria-label") == "" {
			d.blame("a %s without a name", n.Data)
		}
	case atom.Html:
		if attr(n, "lang") == "" {
			d.blame("no language")
		}
	}
}

// link notes an address of this site; others must not be there.
func (d *document) link(address string) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		d.blame("%v", err)
	case u.Scheme != "" || u.Host != "":
		d.blame("leads away: %s", address)
	case u.Path == "":
		if !d.ids[u.Fragment] {
			d.blame("nothing at %s", address)
		}
	default:
		d.links = append(d.links, address)
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// words is an element's text.
func words(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

func has(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}
