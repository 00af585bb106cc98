package qemu

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// KVMProof says whether the appliance found KVM to work since this computer was
// started, and whether it has tried; dir is the appliance's. A /dev/kvm may open
// and run small programs, and yet hang every real kernel, so nothing less proves it.
func KVMProof(dir string) (works, known bool) {
	data, err := os.ReadFile(filepath.Join(dir, "kvm.json"))
	boot, bootErr := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if errors.Join(err, bootErr) != nil {
		return false, false
	}
	var proof struct {
		Boot  string `json:"boot_id"`
		Works bool   `json:"works"`
	}
	if json.Unmarshal(data, &proof) != nil || proof.Boot != strings.TrimSpace(string(boot)) {
		return false, false
	}
	return proof.Works, true
}
