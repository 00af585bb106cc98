package webui

import (
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/materialize"
)

// everything is a service that offers all calls; none is made here.
type everything struct {
	Service
	Keeper
	Compressor
	Remaker
	Mounter
	Opener
}

type (
	object = map[string]any
	list   = []any
)

// form is how a call answers.
type form int

const (
	inJSON form = iota
	inFrames
	inText
	inEvents
)

// A contract is what a call takes and gives, in Go.
type contract struct {
	form    form
	in, out any // nil for none
	query   []string
	starts  bool // it may answer with a job to watch
}

// contracts are those of all calls. A route must be here and in the document.
func contracts() map[string]contract {
	none := struct{}{}
	return map[string]contract{
		"GET /v1/openapi.json":      {out: object{}},
		"GET /v1/status":            {out: Status{}},
		"GET /v1/builds":            {out: []BuildInfo{}, query: []string{"filter", "sort", "order", "arch", "tag", "offset", "limit"}},
		"GET /v1/builds/{id}":       {out: BuildInfo{}, query: []string{"arch"}},
		"GET /v1/plan":              {out: materialize.Plan{}, query: []string{"path"}},
		"GET /v1/jobs":              {out: []materialize.JobInfo{}},
		"GET /v1/jobs/{id}":         {out: materialize.JobInfo{}},
		"GET /v1/jobs/{id}/log":     {form: inText, query: []string{"follow"}},
		"GET /v1/jobs/{id}/events":  {form: inEvents},
		"POST /v1/jobs/{id}/log":    {form: inFrames, in: logRequest{}, out: none},
		"POST /v1/jobs/{id}/cancel": {out: none},
		"POST /v1/build":            {form: inFrames, in: BuildRequest{}, out: BuildResult{}, starts: true},
		"POST /v1/materialise":      {form: inFrames, in: pathRequest{}, out: materialize.Result{}, starts: true},
		"POST /v1/remake":           {form: inFrames, in: pathRequest{}, out: materialize.Result{}},
		"POST /v1/retry":            {in: pathRequest{}, out: none},
		"POST /v1/prune":            {in: PruneRequest{}, out: []materialize.BuildRef{}},
		"POST /v1/tag":              {in: tagRequest{}, out: none},
		"POST /v1/untag":            {in: tagRequest{}, out: none},
		"POST /v1/compress":         {form: inFrames, in: CompressRequest{}, out: []Compressed{}},
		"POST /v1/find":             {form: inFrames, in: FindRequest{}, out: []Found{}},
		"POST /v1/diff":             {in: DiffRequest{}, out: Diff{}},
		"POST /v1/sync":             {form: inFrames, out: none},
		"POST /v1/pin":              {in: pinRequest{}, out: none},
		"POST /v1/mount":            {in: MountRequest{}, out: none},
		"POST /v1/unmount":          {in: MountRequest{}, out: none},
		"POST /v1/serve":            {form: inFrames, in: ServeRequest{}, out: none},
	}
}

// vocabulary are the types that the document describes besides those that calls
// name.
func vocabulary() []any {
	return []any{wireError{}, frame{}, started{}, progressEvent{}, logEvent{}, endEvent{}}
}

// The routes, the contracts and the document name the same calls, and the document
// says who may make them.
func TestDocumentHasEveryRoute(t *testing.T) {
	doc := parsed(t)
	said := map[string]object{}
	for path, item := range member(t, doc, "paths") {
		for method, op := range asObject(t, item) {
			said[strings.ToUpper(method)+" "+path] = asObject(t, op)
		}
	}
	all, known := routes(everything{}), contracts()
	for _, rt := range all {
		op, ok := said[rt.name()]
		if !ok {
			t.Errorf("%s: not in the document", rt.name())
			continue
		}
		if op["x-role"] != rt.role.String() || op["x-unix-socket-only"] == true != rt.local {
			t.Errorf("%s: the document says role %v, socket %v; it takes %s, %v", rt.name(), op["x-role"], op["x-unix-socket-only"], rt.role, rt.local)
		}
		if _, ok := known[rt.name()]; !ok {
			t.Errorf("%s: has no contract", rt.name())
		}
	}
	if len(said) != len(all) || len(known) != len(all) {
		t.Errorf("%d routes, %d in the document, %d contracts", len(all), len(said), len(known))
	}
}

// The document says of each call what it takes and gives.
func TestDocumentHasBodiesAndParameters(t *testing.T) {
	paths := member(t, parsed(t), "paths")
	inPath := regexp.MustCompile(`\{(\w+)\}`)
	for name, want := range contracts() {
		t.Run(name, func(t *testing.T) {
			method, path, _ := strings.Cut(name, " ")
			op := member(t, paths, path, strings.ToLower(method))
			same(t, "body", bodyOf(want), op["requestBody"])
			same(t, "answer", answerOf(want), plain(member(t, op, "responses", "200")["content"]))
			var params []string
			for _, m := range inPath.FindAllStringSubmatch(path, -1) {
				params = append(params, "path "+m[1])
			}
			for _, q := range want.query {
				params = append(params, "query "+q)
			}
			same(t, "parameters", params, paramsOf(t, op))
			same(t, "error", any(object{"$ref": "#/components/responses/Error"}), member(t, op, "responses")["default"])
			if async := member(t, op, "responses")["202"]; (async != nil) != want.starts {
				t.Errorf("answer 202: %v; it starts jobs: %v", async, want.starts)
			}
			if op["summary"] == nil || op["operationId"] == nil {
				t.Error("it has no summary, or no operationId")
			}
		})
	}
}

// The document's schemas are those of the Go types, field by field.
func TestDocumentHasEveryField(t *testing.T) {
	want := object{}
	for _, c := range contracts() {
		describe(reflect.TypeOf(c.in), want)
		describe(reflect.TypeOf(c.out), want)
	}
	for _, v := range vocabulary() {
		describe(reflect.TypeOf(v), want)
	}
	got := member(t, parsed(t), "components", "schemas")
	for _, name := range slices.Sorted(maps.Keys(got)) {
		same(t, name, want[name], plain(got[name]))
		if asObject(t, got[name])["description"] == nil {
			t.Errorf("%s: has no description", name)
		}
		delete(want, name)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		t.Errorf("%s: not in the document; it would be\n%s", name, indented(want[name]))
	}
}

// Names of a kind that can be enumerated are.
func TestDocumentHasEveryName(t *testing.T) {
	schemas := member(t, parsed(t), "components", "schemas")
	for name, want := range map[string]list{
		"State":    {"local", "cached", "remote", "view", "buildable", "building", "gone", "failed", "unknown"},
		"JobState": {"waiting", "running", "done", "failed", "cancelled"},
		"Class":    {"config", "package", "space", "network", "tool", "vm", "guest", "internal"},
	} {
		same(t, name, any(want), asObject(t, schemas[name])["enum"])
	}
	var is list
	for _, s := range sentinels() {
		is = append(is, s.name)
	}
	items := asObject(t, member(t, schemas, "Error", "properties", "is")["items"])
	same(t, "is", any(is), items["enum"])
}

// Every reference leads somewhere.
func TestDocumentReferences(t *testing.T) {
	doc := parsed(t)
	for _, m := range regexp.MustCompile(`"\$ref": *"#/([^"]+)"`).FindAllStringSubmatch(string(document), -1) {
		member(t, doc, strings.Split(m[1], "/")...)
	}
	ids := map[any]bool{}
	for _, m := range regexp.MustCompile(`"operationId": *"([^"]+)"`).FindAllStringSubmatch(string(document), -1) {
		if ids[m[1]] {
			t.Errorf("operationId %s is there twice", m[1])
		}
		ids[m[1]] = true
	}
}

func bodyOf(c contract) any {
	if c.in == nil {
		return nil
	}
	return object{"content": object{"application/json": object{"schema": schemaOf(reflect.TypeOf(c.in))}}}
}

func answerOf(c contract) any {
	switch c.form {
	case inText:
		return object{"text/plain": object{"schema": object{"type": "string"}}}
	case inEvents:
		return object{"text/event-stream": object{"schema": object{"type": "string"}}}
	case inFrames:
		result := object{"properties": object{"result": schemaOf(reflect.TypeOf(c.out))}}
		return object{"application/x-ndjson": object{"schema": object{"allOf": list{ref("Frame"), result}}}}
	}
	return object{"application/json": object{"schema": schemaOf(reflect.TypeOf(c.out))}}
}

func paramsOf(t *testing.T, op object) []string {
	t.Helper()
	declared, _ := op["parameters"].(list)
	var names []string
	for _, p := range declared {
		o := asObject(t, p)
		if where, ok := o["$ref"].(string); ok {
			o = member(t, parsed(t), strings.Split(strings.TrimPrefix(where, "#/"), "/")...)
		}
		where, ok1 := o["in"].(string)
		name, ok2 := o["name"].(string)
		if !ok1 || !ok2 {
			t.Fatalf("parameter %v", o)
		}
		if where != "header" {
			names = append(names, where+" "+name)
		}
	}
	return names
}

// same compares two values of any kind.
func same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func parsed(t *testing.T) object {
	t.Helper()
	var doc object
	if err := json.Unmarshal(document, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// member walks into nested objects.
func member(t *testing.T, o object, names ...string) object {
	t.Helper()
	for _, name := range names {
		next, ok := o[name].(object)
		if !ok {
			t.Fatalf("%s of %v is not in the document", name, names)
		}
		o = next
	}
	return o
}

func asObject(t *testing.T, v any) object {
	t.Helper()
	o, ok := v.(object)
	if !ok {
		t.Fatalf("%v is no object", v)
	}
	return o
}

func indented(v any) string {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
