package storegen

import (
	"crypto/sha256"
	"math/rand/v2"
)

// Pattern gives size bytes that look random, and are the same for the same name.
func Pattern(name string, size int64) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte(name))).Read(data) // it never fails
	return data
}
