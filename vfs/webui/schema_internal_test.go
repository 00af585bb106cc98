package webui

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// describe adds the schemas of a type and of all that it is made of.
func describe(typ reflect.Type, into object) {
	if typ == nil {
		return
	}
	switch typ.Kind() {
	case reflect.Slice, reflect.Pointer:
		describe(typ.Elem(), into)
	case reflect.String:
		if name := nameOf(typ); name != "" {
			into[name] = object{"type": "string"}
		}
	case reflect.Struct:
		if name := nameOf(typ); name != "" && into[name] == nil {
			s := object{"type": "object", "properties": object{}}
			into[name] = s
			fields(typ, s, into)
		}
	default:
	}
}

// fields adds a struct's fields as encoding/json names them.
func fields(typ reflect.Type, s, into object) {
	for f := range typ.Fields() {
		if f.Anonymous {
			describe(f.Type, into)
			fields(f.Type, s, into)
			continue
		}
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "-" {
			continue
		}
		if tag == "" {
			tag = f.Name
		}
		describe(f.Type, into)
		props, ok := s["properties"].(object)
		if !ok {
			panic("a schema without properties")
		}
		props[tag] = schemaOf(f.Type)
		if strings.HasPrefix(options, "omit") {
			continue
		}
		required, _ := s["required"].(list)
		s["required"] = append(required, tag)
		if f.Type.Kind() == reflect.Slice && f.Type != reflect.TypeFor[json.RawMessage]() {
			props[tag] = object{"type": list{"array", "null"}, "items": schemaOf(f.Type.Elem())}
		}
	}
}

// schemaOf is the schema of a value where it is used.
func schemaOf(typ reflect.Type) any {
	switch typ {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return object{}
	case reflect.TypeFor[[]byte]():
		return object{"type": "string", "contentEncoding": "base64"}
	}
	if name := nameOf(typ); name != "" {
		return ref(name)
	}
	switch typ.Kind() {
	case reflect.Slice:
		return object{"type": "array", "items": schemaOf(typ.Elem())}
	case reflect.Pointer:
		return schemaOf(typ.Elem())
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	default:
		return object{"type": "object"}
	}
}

func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

// nameOf is the name of a type of ours in the document, "" for others.
func nameOf(typ reflect.Type) string {
	if typ == reflect.TypeFor[wireError]() {
		return "Error"
	}
	if !strings.HasPrefix(typ.PkgPath(), "cosafs/") {
		return ""
	}
	return strings.ToUpper(typ.Name()[:1]) + typ.Name()[1:]
}

// plain leaves out what Go types do not say.
func plain(v any) any {
	switch v := v.(type) {
	case object:
		o := object{}
		for k, e := range v {
			switch k {
			case "description", "enum", "minimum", "maximum", "examples", "example":
				if _, isText := e.(string); isText || k != "description" && k != "example" {
					continue
				}
			}
			o[k] = plain(e)
		}
		return o
	case list:
		l := list{}
		for _, e := range v {
			l = append(l, plain(e))
		}
		return l
	}
	return v
}
