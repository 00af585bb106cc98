package disk

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A key is one key of image.yaml: the type of its value, what it may be, and
// what it is when the configuration doesn't say.
type key struct {
	check func(*yaml.Node) (any, error)
	value any // default; nil = the key is left out
}

// schema has every key that cosa has ever read from image.yaml (its
// image-default.yaml, create_disk.sh and cmd-build through the years), so that
// old configurations are read as well, with the defaults of its last version
// that had them. rootfs: ext4 is our own.
func schema() map[string]key {
	return map[string]key{
		"size":                 {check: positive},
		"extra-kargs":          {list, []string{}},
		"rootfs":               {oneOf([]string{"xfs", "ext4"}, "btrfs", "ext4verity"), "xfs"},
		"rootfs-args":          {text, ""},
		"bootfs":               {oneOf([]string{"ext4"}, "ext4verity"), "ext4"},
		"composefs":            {flag, false},
		"ostree-remote":        {check: text},
		"ostree-format":        {oneOf([]string{"tar", "oci", "oci-chunked-v1"}), "oci-chunked-v1"},
		"luks_rootfs":          {check: luks},
		"grub-script":          {check: text},
		"osmet":                {check: flag},
		"compressor":           {oneOf([]string{"xz", "gzip", "zstd"}), "gzip"},
		"squashfs-compression": {text, "zstd"},
		"platform-compressor":  {table, map[string]string{}},

		"deploy-via-container":                         {flag, false},
		"container-imgref":                             {check: text},
		"bootc-install-to-fs":                          {check: flag},
		"ostree-container-inject-openshift-cvo-labels": {check: flag},

		"live-rootfs-fstype":    {check: oneOf([]string{"squashfs", "erofs"})},
		"live-rootfs-fsoptions": {check: text},

		"vmware-hw-version":  {positive, 13},
		"vmware-os-type":     {text, "rhel7_64Guest"},
		"vmware-secure-boot": {flag, true},
		"aws-imdsv2-only":    {flag, true},
		"aws-volume-type":    {text, "gp3"},
		"aws-x86-boot-mode":  {text, "uefi-preferred"},

		"ignition-network-kcmdline":               {check: list},
		"bootfs_metadata_csum_seed":               {check: flag},
		"postprocess-script":                      {check: text},
		"save-var-subdirs-for-selabel-workaround": {check: list},
	}
}

func text(n *yaml.Node) (any, error) { return decode[string](n, "a string") }
func flag(n *yaml.Node) (any, error) { return decode[bool](n, "true or false") }
func list(n *yaml.Node) (any, error) { return decode[[]string](n, "a list of strings") }
func table(n *yaml.Node) (any, error) {
	return decode[map[string]string](n, "a mapping of strings to strings")
}

func decode[T any](n *yaml.Node, want string) (any, error) {
	var v T
	if err := n.Decode(&v); err != nil || n.Tag == "!!null" {
		return nil, fmt.Errorf("must be %s", want)
	}
	return v, nil
}

func positive(n *yaml.Node) (any, error) {
	var v int
	if err := n.Decode(&v); err != nil || v <= 0 || v > 1<<20 {
		return nil, fmt.Errorf("must be a whole number above 0")
	}
	return v, nil
}

// oneOf wants one of good; planned ones are known to cosa, but not made here yet.
func oneOf(good []string, planned ...string) func(*yaml.Node) (any, error) {
	return func(n *yaml.Node) (any, error) {
		switch {
		case slices.Contains(good, n.Value):
			return n.Value, nil
		case slices.Contains(planned, n.Value):
			return nil, fmt.Errorf("%s is not supported yet; use one of %s", n.Value, strings.Join(good, ", "))
		}
		return nil, fmt.Errorf("must be one of %s", strings.Join(good, ", "))
	}
}

// luks was cosa's from 2019 to 2021; an empty value means none.
func luks(n *yaml.Node) (any, error) {
	if n.Value != "" || n.Kind != yaml.ScalarNode {
		return nil, fmt.Errorf("an encrypted root is not supported yet; leave the key out")
	}
	return "", nil
}
