package catalog

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"cosafs/index"
)

// Kinds of records: the first byte of each key. Those of a store go on with its
// number (2 bytes). A ref (4 bytes) names an architecture of a build, and is never
// used again for another, or for another commit.
const (
	kindFormat  = 'f' // -> version of this layout
	kindSum     = 'x' // -> sum over all other records
	kindName    = 'n' // name of a store -> its number
	kindState   = 's' // -> storeState: what List gave
	kindText    = 't' // generation, name, part -> piece of builds.json or of the order
	kindBuild   = 'b' // id -> buildRecord
	kindArch    = 'a' // ref -> Arch
	kindRefs    = 'r' // architecture -> its number, the next ref
	kindCommit  = 'c' // digest, ref -> nothing: commits
	kindDigest  = 'd' // digest, ref -> nothing: sha256 of images
	kindPackage = 'p' // name, epoch, version, release, arch -> refs that have it
	kindKnown   = 'k' // -> refs whose packages are known; with 1 behind: can't be known
)

// digestWidth is how much of a digest a key holds, in bytes. What else begins so is
// told apart by the record: among a million digests hardly ever something does.
const digestWidth = 6

func storeKey(kind byte, num uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{kind}, num)
}

func nameKey(store string) []byte { return append([]byte{kindName}, store...) }

func buildKey(num uint16, id string) []byte { return append(storeKey(kindBuild, num), id...) }

func archKey(num uint16, ref uint32) []byte {
	return binary.BigEndian.AppendUint32(storeKey(kindArch, num), ref)
}

func refsKey(num uint16, arch string) []byte { return append(storeKey(kindRefs, num), arch...) }

// textKey is where the parts of a text of a generation are.
func textKey(num uint16, generation uint32, name byte) []byte {
	return append(binary.BigEndian.AppendUint32(storeKey(kindText, num), generation), name)
}

// knownKey is where the refs are whose packages are known, or can't be.
func knownKey(num uint16, known bool) []byte {
	key := storeKey(kindKnown, num)
	if !known {
		key = append(key, 1)
	}
	return key
}

// packageKey is where the refs of a package are. Fields end in a zero byte, which
// none has (see validPackage).
func packageKey(num uint16, p index.Package) []byte {
	key := packagePrefix(num, p.Name)
	for _, field := range []string{p.Epoch, p.Version, p.Release} {
		key = append(append(key, field...), 0)
	}
	return append(key, p.Arch...)
}

// packagePrefix is what the keys of all packages of a name begin with.
func packagePrefix(num uint16, name string) []byte {
	return append(append(storeKey(kindPackage, num), name...), 0)
}

// packageOf undoes packageKey.
func packageOf(key []byte) (index.Package, bool) {
	f := strings.Split(string(key[3:]), "\x00")
	if len(f) != 5 {
		return index.Package{}, false
	}
	return index.Package{Name: f[0], Epoch: f[1], Version: f[2], Release: f[3], Arch: f[4]}, true
}

// digestKey gives the key of a digest in hexadecimal digits; not ok for what is
// none, or too short for one.
func digestKey(kind byte, num uint16, digest string, ref uint32) (string, bool) {
	if len(digest) < 2*digestWidth {
		return "", false
	}
	raw, err := hex.DecodeString(digest[:2*digestWidth])
	if err != nil {
		return "", false
	}
	return string(binary.BigEndian.AppendUint32(append(storeKey(kind, num), raw...), ref)), true
}

// splitDigestKey undoes digestKey.
func splitDigestKey(key []byte) (digest string, ref uint32, err error) {
	if len(key) != 3+digestWidth+4 {
		return "", 0, fmt.Errorf("%w: a digest's key has %d bytes", ErrDamaged, len(key))
	}
	return hex.EncodeToString(key[3 : 3+digestWidth]), binary.BigEndian.Uint32(key[3+digestWidth:]), nil
}

// archKeys gives the keys by which an architecture is found.
func archKeys(num uint16, ref uint32, a *Arch) map[string]bool {
	keys := make(map[string]bool)
	add := func(kind byte, digest string) {
		if key, ok := digestKey(kind, num, digest, ref); ok {
			keys[key] = true
		}
	}
	add(kindCommit, a.Commit)
	for i := range a.Images {
		add(kindDigest, a.Images[i].SHA256)
		add(kindDigest, a.Images[i].UncompressedSHA256)
	}
	return keys
}
