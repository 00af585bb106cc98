package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
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

// users is one reading of an htpasswd file, and which of its passwords were
// seen to be right.
type users struct {
	hashes map[string][]byte
	names  []string
	secret []byte
	*memory
}

// readUsers reads an htpasswd file. secret keys the memory.
func readUsers(path string, secret []byte) (*users, error) {
	u := &users{hashes: map[string][]byte{}, secret: secret, memory: newMemory()}
	file := lineFile{path, "htpasswd", "`htpasswd -B " + path + " NAME` writes such a line (-c for a new file)."}
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
		hash = u.hashes[u.decoy(name)]
	}
	return compare(hash, []byte(password)) == nil && ok
}

// decoy picks somebody else for an unknown name.
func (u *users) decoy(name string) string {
	d := u.digest(name, "")
	return u.names[binary.BigEndian.Uint64(d[:])%uint64(len(u.names))]
}

// digest stands for a password in memory: only with the key, which never leaves
// the process, could passwords be tried on it.
func (u *users) digest(name, password string) (d [sha256.Size]byte) {
	mac := hmac.New(sha256.New, u.secret)
	var size [8]byte // keeps "ab"+"c" from being "a"+"bc"
	binary.BigEndian.PutUint64(size[:], uint64(len(name)))
	for _, part := range []string{string(size[:]), name, password} {
		mac.Write([]byte(part)) // a hash takes everything
	}
	mac.Sum(d[:0])
	return d
}
