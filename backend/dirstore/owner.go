package dirstore

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// An owner says which process an unfinished file belongs to. The file is named
// as flufl.lock names its claims,
//
//	<what it is for>|<host>|<pid>|<random>
//
// so that cosa can read the names of our claims. flufl.lock ignores the last
// field; ours has the form cosafs<boot id>.<random> there, which flufl.lock's own,
// a decimal number, never has.
//
// While its process lives, an unfinished file is held open with flock(2). A
// lock that is free therefore proves the owner dead: the kernel drops it at
// any exit, and neither a pid used again nor another pid namespace can deceive
// it. That proof is good only for locks of this kernel, which is why the boot
// id, or at least the host, has to be this one.
type owner struct {
	host string
	pid  int
	boot string // first 16 hex digits of the kernel's boot id; "" for cosa's
}

const mark = "cosafs"

func thisProcess() (owner, error) {
	host, err := os.Hostname()
	if err != nil {
		return owner{}, err
	}
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return owner{}, err
	}
	boot := strings.ReplaceAll(strings.TrimSpace(string(b)), "-", "")
	return owner{host: strings.ReplaceAll(host, "|", "_"), pid: os.Getpid(), boot: boot[:min(16, len(boot))]}, nil
}

// name gives a new name for an unfinished file. purpose begins with a dot.
func (o owner) name(purpose string) string {
	var r [4]byte
	_, _ = rand.Read(r[:]) // never fails, by its documentation
	return fmt.Sprintf("%s|%s|%d|%s%s.%s", purpose, o.host, o.pid, mark, o.boot, hex.EncodeToString(r[:]))
}

// parseOwner takes apart a name that we or cosa gave. For cosa's, boot is "".
func parseOwner(name string) (purpose string, o owner, ok bool) {
	f := strings.Split(name, "|")
	if len(f) < 4 {
		return "", owner{}, false
	}
	n := len(f) - 3
	pid, err := strconv.Atoi(f[n+1])
	if err != nil || pid <= 0 {
		return "", owner{}, false
	}
	if rest, ours := strings.CutPrefix(f[n+2], mark); ours {
		o.boot, _, _ = strings.Cut(rest, ".")
	}
	o.host, o.pid = f[n], pid
	return strings.Join(f[:n], "|"), o, true
}

// near says whether flock can tell about the owner from here.
func (o owner) near(self owner) bool {
	return o.boot != "" && (o.boot == self.boot || o.host == self.host)
}

// runs says whether the owner still seems to run. It is for links, which can't be
// held open, and may be wrong: a pid can be used again, or belong to another
// pid namespace.
func (o owner) runs(self owner) bool {
	return o.boot == self.boot && !errors.Is(unix.Kill(o.pid, 0), unix.ESRCH)
}

// String names the owner for a person.
func (o owner) String() string { return fmt.Sprintf("process %d on %s", o.pid, o.host) }

// errAlive means that somebody holds a file.
var errAlive = errors.New("its owner lives")

// hold takes the flock of an open file: errAlive if another has it.
func hold(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errAlive
	}
	return err
}

// createOwned creates an unfinished file in dir ("." is the root), held until it
// is closed. name is relative to the root.
func (s *Store) createOwned(dir, purpose string) (f *os.File, name string, err error) {
	for {
		name = dir + "/" + s.self.name(purpose)
		f, err = s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return nil, "", err
		}
		err = hold(f)
		if err == nil && linkCount(f) > 0 {
			return f, name, nil
		}
		_ = f.Close() // empty
		if err != nil && !errors.Is(err, errAlive) {
			_ = s.root.Remove(name) // the error above tells more
			return nil, "", err
		}
		// A sweep came between creating and holding it, and removes it.
	}
}

// linkCount gives the number of names that an open file has.
func linkCount(f *os.File) int {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil {
		return 0
	}
	return int(st.Nlink)
}

// discard closes and removes an unfinished file, if it still has its name.
func (s *Store) discard(f *os.File, name string) error {
	return errors.Join(s.remove(name), f.Close())
}
