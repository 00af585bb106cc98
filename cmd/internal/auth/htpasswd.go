package auth

import (
	"fmt"
	"hash/maphash"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
)

// maxCost is the highest cost that htpasswd(1) writes. More takes minutes.
const maxCost = 17

// bcryptHash is what crypt(5) calls a bcrypt hash. $2x$ is left out: it marks the
// hashes of a broken implementation.
var bcryptHash = regexp.MustCompile(`^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$`)

// users is one reading of an htpasswd file.
type users struct {
	hashes map[string][]byte
	names  []string
	seed   maphash.Seed // picks decoys
}

// readUsers reads an htpasswd file. The same seed gives unknown names the same
// work after each reading.
func readUsers(path string, seed maphash.Seed) (*users, error) {
	u := &users{hashes: map[string][]byte{}, seed: seed}
	file := lineFile{path, "htpasswd", "`htpasswd -B " + path + " NAME` writes such a line (-c for a new file)"}
	if err := file.read(u.add); err != nil {
		return nil, err
	}
	return u, nil
}

// add takes one line. What follows a second colon is a comment, as for nginx.
func (u *users) add(name, rest string) error {
	hash, _, _ := strings.Cut(rest, ":")
	match := bcryptHash.FindStringSubmatch(hash)
	if match == nil {
		return fmt.Errorf("the password of %q is not a bcrypt hash: %w", name, fs.ErrInvalid)
	}
	if cost, err := strconv.Atoi(match[1]); err != nil || cost < 4 || cost > maxCost {
		return fmt.Errorf("the password of %q has cost %s, which is not within 4 to %d: %w", name, match[1], maxCost, fs.ErrInvalid)
	}
	if _, ok := u.hashes[name]; ok {
		return fmt.Errorf("%q is there twice: %w", name, fs.ErrInvalid)
	}
	u.hashes[name] = []byte(hash)
	u.names = append(u.names, name)
	return nil
}

func (u *users) known() bool { return len(u.names) > 0 }

// match says whether the password is that of the name. For an unknown name it
// compares with the hash of somebody else, always the same for the name, and
// throws the result away: so the work, whatever the costs of the hashes, does
// not tell who has a password.
func (u *users) match(name, password string, compare func(hash, password []byte) error) bool {
	if !u.known() {
		return false
	}
	hash, ok := u.hashes[name]
	if !ok {
		decoy := maphash.String(u.seed, name) % uint64(len(u.names))
		hash = u.hashes[u.names[decoy]]
	}
	return compare(hash, []byte(password)) == nil && ok
}
