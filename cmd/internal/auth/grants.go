package auth

import (
	"fmt"
	"io/fs"
	"strings"

	"cosafs/materialize"
	"cosafs/vfs/access"
)

// parseGrants reads NAME=ROLE. A name may hold "=" itself: a common name may.
func parseGrants(list []string) (map[string]access.Role, error) {
	grants := map[string]access.Role{}
	for _, grant := range list {
		if err := addGrant(grants, grant); err != nil {
			return nil, materialize.Fail(materialize.ClassConfig, "read grant", "write NAME=ROLE; roles are nobody, reader, builder and admin", err)
		}
	}
	return grants, nil
}

func addGrant(grants map[string]access.Role, grant string) error {
	i := strings.LastIndexByte(grant, '=')
	if i <= 0 {
		return fmt.Errorf("%q has no name or no role: %w", grant, fs.ErrInvalid)
	}
	name := grant[:i]
	role, err := access.ParseRole(grant[i+1:])
	if err != nil {
		return fmt.Errorf("role of %q: %w", name, err)
	}
	if had, ok := grants[name]; ok && had != role {
		return fmt.Errorf("%q is granted both %s and %s: %w", name, had, role, fs.ErrInvalid)
	}
	grants[name] = role
	return nil
}
