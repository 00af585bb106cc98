package workdir

import (
	"cosafs/index"
	"cosafs/materialize"
)

// kindNamed finds the kind of artifact that a file's name names: its short name, its
// full one, or the one that is recorded. A name promises a format: where the artifact
// is recorded in another one the kind says in which it is wanted.
func (w *Workdir) kindNamed(b materialize.Build, name string) (string, bool) {
	for kind, a := range b.Artifacts {
		if a.File == name {
			return kind, true
		}
	}
	if kind, ok := w.plainNamed(b, name); ok {
		if b.Artifacts[kind].Packed() {
			kind = materialize.PackedKind(kind, materialize.Plain)
		}
		return kind, true
	}
	plain, format, ok := materialize.CutFormat(name)
	if !ok {
		return "", false
	}
	kind, ok := w.plainNamed(b, plain)
	if !ok {
		return "", false
	}
	if a := b.Artifacts[kind]; a.Packed() {
		if _, has, _ := materialize.CutFormat(a.File); has == format {
			return kind, true
		}
	}
	return materialize.PackedKind(kind, format), true
}

// plainNamed finds the kind whose uncompressed file has the name, or the short name.
func (w *Workdir) plainNamed(b materialize.Build, name string) (string, bool) {
	if kind, ok := index.KindOfShort(name); ok {
		return string(kind), true
	}
	for kind, a := range b.Artifacts {
		plain := a.File
		if a.Packed() {
			plain, _, _ = materialize.CutFormat(a.File)
		}
		if plain == name {
			return kind, true
		}
	}
	for _, kind := range w.maker.Kinds() {
		if w.records.FileName(kind, b.Name, b.ID, b.Arch) == name {
			return kind, true
		}
	}
	return "", false
}

// kindOfNext finds the kind that a short name names, in the compression that it
// asks for.
func kindOfNext(name string) (string, bool) {
	if kind, ok := index.KindOfShort(name); ok {
		return string(kind), true
	}
	plain, format, ok := materialize.CutFormat(name)
	if !ok {
		return "", false
	}
	kind, ok := index.KindOfShort(plain)
	return materialize.PackedKind(string(kind), format), ok
}
