package appliance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// probeTime is how long a guest under KVM may take to say that it's up, the
// first time. A /dev/kvm may open and run small programs, and yet hang every
// real kernel; only the appliance itself tells.
const probeTime = 8 * time.Second

// An accel is what runs the guest's instructions.
type accel string

const (
	kvm accel = "kvm"
	tcg accel = "tcg" // qemu's emulation: always works, some ten times slower
)

// args are qemu's. mitigations cost time and guard nothing here: nobody else's
// code runs in the guest.
func (a accel) args() []string {
	if a == kvm {
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	return []string{"-accel", "tcg,thread=multi", "-cpu", "max"}
}

// A probe is what was found out about KVM, and for which machine state, qemu
// and kernel that holds.
type probe struct {
	Boot   string `json:"boot_id"`
	QEMU   string `json:"qemu"`
	Kernel string `json:"kernel"` // hex sha256
	Works  bool   `json:"works"`
}

// ask gives a probe without its answer. It costs running qemu --version.
func (a *Appliance) ask(ctx context.Context, qemu string) (probe, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return probe{}, err
	}
	version, err := exec.CommandContext(ctx, qemu, "--version").Output()
	if err != nil {
		return probe{}, err
	}
	h := sha256.New()
	if err := hashFile(h, filepath.Join(a.Dir, "kernel")); err != nil {
		return probe{}, err
	}
	first, _, _ := strings.Cut(string(version), "\n")
	return probe{Boot: strings.TrimSpace(string(boot)), QEMU: first, Kernel: hex.EncodeToString(h.Sum(nil))}, nil
}

// recall says whether KVM works, if that is known for the question.
func (a *Appliance) recall(question probe) (works, known bool) {
	b, err := os.ReadFile(a.memory)
	if err != nil {
		return false, false
	}
	var p probe
	if json.Unmarshal(b, &p) != nil {
		return false, false
	}
	question.Works = p.Works
	return p.Works, p == question
}

// remember keeps an answer. Where it can't, the next run asks again.
func (a *Appliance) remember(p probe, works bool) error {
	p.Works = works
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(a.memory), "kvm-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), a.memory)
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // it may be gone
	}
	return err
}

// kvmAllowed is false where there is no KVM, or COSA_NO_KVM is set to anything,
// which is cosa's way to switch it off.
func kvmAllowed() bool {
	if os.Getenv("COSA_NO_KVM") != "" {
		return false
	}
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	_ = f.Close() // nothing was written
	return true
}
