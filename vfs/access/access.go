// Package access says who asks, and what he may do. The server that lets a
// request in notes its caller in the request's ctx; the doors ask for it there.
package access

import (
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"

	"cosafs/materialize"
)

// A Role is what a caller may do. Each may also do what those before it may.
type Role int

// The roles.
const (
	// Nobody may do nothing: the role of a ctx without a caller.
	Nobody Role = iota
	// Reader looks, and reads what exists or is being made for others.
	Reader
	// Builder opens what has to be made first, starts, cancels and retries jobs, and
	// writes to the scratch collection.
	Builder
	// Admin prunes, tags, pins and syncs.
	Admin
)

var names = []string{"nobody", "reader", "builder", "admin"}

// ParseRole reads a role's name; another one is fs.ErrInvalid.
func ParseRole(name string) (Role, error) {
	i := slices.Index(names, name)
	if i < 0 {
		return Nobody, fmt.Errorf("%q is none of %v: %w", name, names, fs.ErrInvalid)
	}
	return Role(i), nil
}

// String gives the role's name.
func (r Role) String() string {
	if r < 0 || int(r) >= len(names) {
		return fmt.Sprintf("Role(%d)", int(r))
	}
	return names[r]
}

// A Caller is who asks.
type Caller struct {
	Name string // "" for one who did not log in
	Addr string // where he comes from: an address without a port, or [Unix]
	Role Role
}

// Demand refuses a caller below a role, with whom to ask for it: fs.ErrPermission. op
// is what he wants to do.
func (c Caller) Demand(role Role, op string) error {
	if c.Role >= role {
		return nil
	}
	who := c.Name
	if who == "" {
		who = "a caller without a login"
	}
	return materialize.Fail(materialize.ClassConfig, op, fmt.Sprintf("ask who runs the server for the role: --grant NAME=%s", role),
		fmt.Errorf("it takes the role %s, and %s is %s: %w", role, who, c.Role, fs.ErrPermission))
}

// Unix is the Addr of who comes through a unix socket.
const Unix = "unix"

// Network gives what one host has of addresses: one, or of IPv6 a whole /64. What is
// no address stands for itself.
func Network(addr string) string {
	ip, err := netip.ParseAddr(addr)
	if err != nil || ip.Unmap().Is4() {
		return addr
	}
	return netip.PrefixFrom(ip.WithZone(""), 64).Masked().String()
}

type key struct{}

// With notes the caller in a ctx.
func With(ctx context.Context, c Caller) context.Context { return context.WithValue(ctx, key{}, c) }

// Of gives the ctx's caller: without one it is [Nobody].
func Of(ctx context.Context) Caller {
	c, _ := ctx.Value(key{}).(Caller)
	return c
}
