package auth

// SetCompare replaces bcrypt, so that a test counts instead of measuring time.
func (g *Guard) SetCompare(compare func(hash, password []byte) error) { g.compare = compare }

// ParseHtpasswd gives the names of an htpasswd file's text.
func ParseHtpasswd(text string) ([]string, error) {
	u := &users{hashes: map[string][]byte{}}
	err := eachLine(text, u.add)
	return u.names, err
}

// ParseTokens gives the names of a token file's text.
func ParseTokens(text string) (names []string, err error) {
	err = eachLine(text, func(name, digits string) error {
		names = append(names, name)
		_, err := parseToken(name, digits)
		return err
	})
	return names, err
}

// Limits that tests count up to.
const (
	FreeFailures = freeFailures
	FailureEvery = failureEvery
	QueueMost    = queueMost
	RememberMost = rememberMost
	RememberFor  = rememberFor
)
