package auth

import (
	"context"
	"net/http"
	"time"
)

// identify gives the caller's name by his certificate, his login, or both, which
// then have to agree; "" for one who sent neither.
func (g *Guard) identify(r *http.Request, from place) (string, *refusal) {
	holder, refused := g.certified(r)
	if refused != nil {
		return "", refused
	}
	c, sent, ok := credentialsOf(r)
	// Where there are no logins, somebody before us may have looked at the header.
	if !sent || !g.takesSecrets() {
		return holder, nil
	}
	if g.exposed(r, from) {
		return "", plainRefusal()
	}
	if !ok {
		return "", wrong("The login can't be understood; send one Authorization header, Basic or Bearer.")
	}
	name, refused := g.login(r.Context(), from, c)
	if refused == nil && holder != "" && holder != name {
		return "", forbidden("The client certificate is " + holder + "'s, the login is " + name + "'s.")
	}
	return name, refused
}

// certified gives the common name of a verified client certificate.
func (g *Guard) certified(r *http.Request) (string, *refusal) {
	if !g.cfg.ClientCerts || r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return "", nil
	}
	name := r.TLS.VerifiedChains[0][0].Subject.CommonName
	if name == "" {
		return "", forbidden("The client certificate has no common name.")
	}
	return name, nil
}

// login gives the name that the credentials prove. Tokens come first: they cost
// nothing, so nobody who has one waits for those who guess passwords.
func (g *Guard) login(ctx context.Context, from place, c credentials) (string, *refusal) {
	if g.tokens != nil {
		if name := owner(g.tokens.Get(), c.secret); name != "" && (c.bearer || c.name == name) {
			return name, nil
		}
	}
	if g.users == nil || c.bearer {
		return "", g.failed(from, c)
	}
	if refused := g.checkPassword(ctx, from, c); refused != nil {
		return "", refused
	}
	return c.name, nil
}

// checkPassword is quick for a password that was right before. Others need a
// slot. What could have changed while it was waited for is looked at again: the
// same client may have sent the same password on many connections, or many
// wrong ones.
func (g *Guard) checkPassword(ctx context.Context, from place, c credentials) *refusal {
	if g.remembered(c) {
		return nil
	}
	if refused := g.limited(from, c); refused != nil {
		return refused
	}
	if g.slots.take(ctx) != nil { // too many, or the client is gone and does not see this
		return busy()
	}
	defer g.slots.giveBack()
	if g.remembered(c) {
		return nil
	}
	if refused := g.limited(from, c); refused != nil {
		return refused
	}
	return g.compareOnce(from, c)
}

// compareOnce is the dear part.
func (g *Guard) compareOnce(from place, c credentials) *refusal {
	u := g.users.Get()
	if !u.match(c.name, c.secret, g.compare) {
		return g.failed(from, c)
	}
	g.memory.keep(g.memory.digest(u.hashes[c.name], c.secret), g.cfg.Now())
	return nil
}

func (g *Guard) remembered(c credentials) bool {
	hash, ok := g.users.Get().hashes[c.name]
	return ok && g.memory.recall(g.memory.digest(hash, c.secret), g.cfg.Now())
}

// limited refuses who failed too often: by his address, and by the name, which
// may be tried from many addresses. Who comes through a proxy on this machine
// has no address of his own, and would be shut out by what others do.
func (g *Guard) limited(from place, c credentials) *refusal {
	now, wait := g.cfg.Now(), time.Duration(0)
	if !c.bearer {
		wait = g.names.wait(c.name, now)
	}
	if !from.local {
		wait = max(wait, g.addrs.wait(from.network, now))
	}
	if wait > 0 {
		return tooMany(wait)
	}
	return nil
}

// failed counts and logs a failure. The log has only names that exist: people
// type passwords where names belong.
func (g *Guard) failed(from place, c credentials) *refusal {
	if refused := g.limited(from, c); refused != nil {
		return refused
	}
	now, name := g.cfg.Now(), "unknown"
	if !from.local {
		g.addrs.charge(from.network, now)
	}
	if !c.bearer {
		g.names.charge(c.name, now)
	}
	if g.exists(c.name) {
		name = c.name
	}
	g.cfg.Logger.Warn("wrong login", "addr", from.addr, "name", name)
	return wrong("The name, the password or the token is wrong.")
}

// exists says whether a name is in one of the files.
func (g *Guard) exists(name string) bool {
	if g.users != nil {
		if _, ok := g.users.Get().hashes[name]; ok {
			return true
		}
	}
	if g.tokens == nil {
		return false
	}
	for _, t := range g.tokens.Get() {
		if t.name == name {
			return true
		}
	}
	return false
}
