package awstest

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A query is a call of EC2.
type query struct{ form url.Values }

// readQuery reads a call.
func readQuery(r *http.Request) (request, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	if r.Method != http.MethodPost || r.URL.Path != "/" {
		return nil, fmt.Errorf("no call of EC2: %s %s", r.Method, r.URL.Path)
	}
	return &query{r.PostForm}, nil
}

func (q *query) action() string { return q.form.Get("Action") }

func (q *query) do(c *Cloud, r *region) (any, *failure) {
	do, ok := map[string]func(*Cloud, *region) (any, *failure){
		"CreateTags": q.createTags, "DescribeSnapshots": q.describeSnapshots, "DeleteSnapshot": q.deleteSnapshot,
		"ModifySnapshotAttribute": q.modifySnapshot, "RegisterImage": q.registerImage, "DescribeImages": q.describeImages,
		"CopyImage": q.copyImage, "ModifyImageAttribute": q.modifyImage, "DeregisterImage": q.deregisterImage,
		"ImportSnapshot": q.importSnapshot, "DescribeImportSnapshotTasks": q.describeImports,
		"DescribeRegions": q.describeRegions, "DescribeImageAttribute": q.launchPermissions,
		"DescribeSnapshotAttribute": q.volumePermissions,
	}[q.action()]
	if !ok {
		return nil, refuse("InvalidAction", "no action %s", q.action())
	}
	return do(c, r)
}

// done is the answer of calls that have nothing to tell.
type done struct {
	Return bool `xml:"return"`
}

func (q *query) reply(w http.ResponseWriter, out any) {
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	name := xml.StartElement{Name: xml.Name{Space: "http://ec2.amazonaws.com/doc/2016-11-15/", Local: q.action() + "Response"}}
	_ = xml.NewEncoder(w).EncodeElement(out, name) // the client went
}

func (q *query) fail(w http.ResponseWriter, bad *failure) {
	code := bad.code
	if code == "RequestThrottledException" {
		code = "RequestLimitExceeded" // as EC2 has it
	}
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	w.WriteHeader(bad.status)
	_, _ = fmt.Fprintf(w, "<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>1</RequestID></Response>",
		code, strings.ReplaceAll(bad.message, "<", "&lt;")) // the client went
}

// list gives the values of name.1, name.2 and so on.
func (q *query) list(name string) []string {
	var all []string
	for i := 1; q.form.Has(name + "." + strconv.Itoa(i)); i++ {
		all = append(all, q.form.Get(name+"."+strconv.Itoa(i)))
	}
	return all
}

// each calls do for the prefixes name.1., name.2. and so on that the call has.
func (q *query) each(name string, do func(prefix string)) {
	for i := 1; ; i++ {
		prefix := name + "." + strconv.Itoa(i) + "."
		found := false
		for key := range q.form {
			found = found || strings.HasPrefix(key, prefix)
		}
		if !found {
			return
		}
		do(prefix)
	}
}

// tags gives the tags below a prefix.
func (q *query) tags(name string) map[string]string {
	tags := map[string]string{}
	q.each(name, func(prefix string) { tags[q.form.Get(prefix+"Key")] = q.form.Get(prefix + "Value") })
	return tags
}

// wanted says whether something is asked for, by its id, name and tags.
func (q *query) wanted(ids []string, id, name string, tags map[string]string) bool {
	ok := len(ids) == 0
	for _, want := range ids {
		ok = ok || want == id
	}
	q.each("Filter", func(prefix string) {
		got := name
		if key, tag := strings.CutPrefix(q.form.Get(prefix+"Name"), "tag:"); tag {
			got = tags[key]
		}
		match := false
		for _, want := range q.list(prefix + "Value") {
			match = match || want == got
		}
		ok = ok && match
	})
	return ok
}
