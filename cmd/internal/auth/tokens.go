package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
)

// tokenPrefix lets people, and programs that look for secrets in repositories,
// see what a token is for.
const tokenPrefix = "cosafs_"

// A token is a line of the token file. Tokens are random, so one round of
// SHA-256 keeps them as well as bcrypt does a password.
type token struct {
	name string
	sum  [sha256.Size]byte
}

// NewToken makes a random token of 256 bits, and the line that lets it in by the
// file of [Config].Tokens. Only the token is secret. A bad name is fs.ErrInvalid.
func NewToken(name string) (secret, line string, err error) {
	if err := checkTokenName(name); err != nil {
		return "", "", fmt.Errorf("make token: %w", err)
	}
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(randomBytes())
	sum := sha256.Sum256([]byte(secret))
	return secret, name + ":" + hex.EncodeToString(sum[:]), nil
}

// checkTokenName refuses names that its line could not be read again for.
func checkTokenName(name string) error {
	var got string
	err := eachLine(name+":", func(name, _ string) error {
		got = name
		return nil
	})
	if err == nil && got != name {
		err = fmt.Errorf("%q can't be a name: %w", name, fs.ErrInvalid)
	}
	return err
}

// readTokens reads a token file.
func readTokens(path string) (list []token, err error) {
	file := lineFile{path, "token", "`cosafs token NAME` makes a token and its line"}
	err = file.read(func(name, digits string) error {
		t, err := parseToken(name, digits)
		list = append(list, t)
		return err
	})
	return list, err
}

// parseToken takes one line.
func parseToken(name, digits string) (token, error) {
	sum, err := hex.DecodeString(digits)
	if err != nil || len(sum) != sha256.Size {
		return token{}, fmt.Errorf("what %q has is not the SHA-256 of a token, 64 hex digits: %w", name, fs.ErrInvalid)
	}
	return token{name, [sha256.Size]byte(sum)}, nil
}

// owner finds whose token it is; "" for nobody's. It compares with all of them,
// so that its time tells nothing.
func owner(list []token, secret string) (name string) {
	sum := sha256.Sum256([]byte(secret))
	for _, t := range list {
		if subtle.ConstantTimeCompare(t.sum[:], sum[:]) == 1 {
			name = t.name
		}
	}
	return name
}

// randomBytes gives 256 random bits.
func randomBytes() []byte {
	b := make([]byte, sha256.Size)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return b
}
