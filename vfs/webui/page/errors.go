package page

import (
	"errors"
	"fmt"
	"io/fs"

	"cosafs/materialize"
)

// What a request may be refused for.
var (
	errNoPage  = materialize.Says(fs.ErrNotExist, "there is no such page")
	errForeign = materialize.Says(fs.ErrPermission, "the form came from another site")
	errReader  = materialize.Fail(materialize.ClassConfig, "start work", "ask somebody with the role builder, or log in as one",
		materialize.Says(fs.ErrPermission, "this caller may only read"))
	errNoPath   = errors.New("it names no path of the tree")
	errNoBuilds = errors.New("it names no two builds")
)

// badForm says that a request lacks something that only a program can have left out.
func badForm(err error) error { return fmt.Errorf("%w: %w", fs.ErrInvalid, err) }
