package verify

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
)

// Lines of ASCII armour (RFC 9580, 6.2).
const (
	armorBegin = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
	armorEnd   = "-----END PGP PUBLIC KEY BLOCK-----"
)

// dearmor gives the keys of a file in the binary form; one that has no armour is
// given as it is. A file may have several blocks, with text around them. The
// checksum of a block is left out of account: a wrong key verifies nothing.
func dearmor(data []byte) ([]byte, error) {
	if !bytes.Contains(data, []byte(armorBegin)) {
		if len(data) == 0 {
			return nil, fmt.Errorf("it is empty: %w", fs.ErrInvalid)
		}
		return data, nil
	}
	var keys []byte
	for {
		_, rest, ok := bytes.Cut(data, []byte(armorBegin))
		if !ok {
			return keys, nil
		}
		block, after, ok := bytes.Cut(rest, []byte(armorEnd))
		if !ok {
			return nil, fmt.Errorf("a key block is cut off: %w", fs.ErrInvalid)
		}
		key, err := dearmorBlock(block)
		if err != nil {
			return nil, err
		}
		keys, data = append(keys, key...), after
	}
}

// dearmorBlock decodes a block: headers up to an empty line, base64, and perhaps a
// checksum that begins with "=".
func dearmorBlock(block []byte) ([]byte, error) {
	block = bytes.ReplaceAll(block, []byte("\r"), nil)
	_, body, ok := bytes.Cut(block, []byte("\n\n"))
	if !ok {
		return nil, errors.New("a key block has no empty line after its headers")
	}
	if at := bytes.Index(body, []byte("\n=")); at >= 0 {
		body = body[:at]
	}
	return base64.StdEncoding.AppendDecode(nil, bytes.Join(bytes.Fields(body), nil))
}
