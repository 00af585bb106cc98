package index

import (
	"regexp"
	"strings"
)

// A rule is what a JSON schema (draft 7) says of one value, as far as cosa's
// schema says anything. Rules without a typ hold for values of any type.
type rule struct {
	typ      string // object, array, string, number, integer, boolean
	min      int    // length of a string in code points
	pattern  *regexp.Regexp
	required []string
	props    map[string]rule
	items    *rule // each element of an array
	rest     *rule // each member of an object that props does not name
	closed   bool  // an object has no members that props does not name
}

// Rules that others are made of.
var (
	anyText  = rule{typ: "string"}
	nonEmpty = rule{typ: "string", min: 1}
	digest   = rule{typ: "string", min: 64}
	numeric  = rule{typ: "number"}
	whole    = rule{typ: "integer"}
	boolean  = rule{typ: "boolean"}
	list     = rule{typ: "array"}
	texts    = listOf(anyText)
)

func listOf(item rule) rule { return rule{typ: "array", items: &item} }

// members gives an object whose named members, separated by blanks, follow one rule.
func members(names string, r rule) map[string]rule {
	all := make(map[string]rule)
	for name := range strings.FieldsSeq(names) {
		all[name] = r
	}
	return all
}

// with adds rules for more members.
func with(all, more map[string]rule) map[string]rule {
	for name, r := range more {
		all[name] = r
	}
	return all
}

func record(required string, props map[string]rule) rule {
	return rule{typ: "object", required: strings.Fields(required), props: props}
}

// The definitions of cosa's src/v1.json.
var (
	artifactRule = record("path sha256", with(members("path sha256 uncompressed-sha256", anyText),
		map[string]rule{"size": numeric, "uncompressed-size": whole, "skip-compression": boolean}))
	imageRule = record("image", with(members("digest comment image", anyText),
		map[string]rule{"tags": texts}))
	primaryImageRule = record("image", with(members("digest manifest-list-digest comment image", anyText),
		map[string]rule{"tags": texts, "additional-images": list}))
	cloudRule = record("url", members("image url bucket region object", anyText))
	gitRule   = record("commit origin", with(members("dirty origin", nonEmpty),
		map[string]rule{"branch": {typ: "string", min: 3}, "commit": {typ: "string", min: 5}}))
	amiRule        = record("name hvm snapshot", members("name hvm snapshot", anyText))
	aliyunRule     = record("name id", members("name id", nonEmpty))
	gcpRule        = record("image url", members("image url project family", anyText))
	extensionsRule = record("manifest", with(members("path sha256", anyText),
		map[string]rule{"rpm-ostree-state": digest, "manifest": {typ: "object"}}))
	imagesRule = record("ostree", members(`aliyun applehv aws azure azurestack dasd digitalocean exoscale
		extensions-container gcp hetzner hyperv ibmcloud ignition-gpg-key initramfs iso kernel kubevirt
		legacy-oscontainer live-initramfs live-iso live-kernel live-rootfs metal metal4k nutanix nvidiabluefield
		oci-manifest openstack oraclecloud ostree powervs proxmoxve qemu qemu-secex virtualbox vmware vultr`, artifactRule))
)

// schemaV1 is cosa's schema of meta.json, version 1 (coreos-assembler, file
// src/v1.json). Members that are not named here are refused at the top level
// and let pass below it.
var schemaV1 = rule{
	typ:      "object",
	closed:   true,
	required: strings.Fields("buildid name ostree-commit ostree-timestamp ostree-version"),
	props:    with(with(schemaScalars(), schemaGroups()), schemaClouds()),
}

// schemaScalars are the rules of top-level strings, numbers and booleans.
func schemaScalars() map[string]rule {
	all := members(`ref build-url buildid ostree-version summary coreos-assembler.basearch
		coreos-assembler.build-timestamp coreos-assembler.code-source coreos-assembler.config-dirty
		coreos-assembler.config-gitrev`, nonEmpty)
	with(all, members("name coreos-assembler.config-variant", anyText))
	with(all, members(`ostree-commit ostree-content-checksum rpm-ostree-inputhash fedora-coreos.parent-commit
		coreos-assembler.image-config-checksum coreos-assembler.image-input-checksum`, digest))
	with(all, members(`ostree-content-bytes-written ostree-n-cache-hits ostree-n-content-total
		ostree-n-content-written ostree-n-metadata-total ostree-n-metadata-written
		coreos-assembler.image-genver`, whole))
	with(all, members(`coreos-assembler.delayed-meta-merge coreos-assembler.oci-imported
		coreos-assembler.overrides-active`, boolean))
	return with(all, map[string]rule{
		keyStamp:                       numeric,
		"fedora-coreos.parent-version": {typ: "string", min: 12},
		"ostree-timestamp":             {typ: "string", pattern: regexp.MustCompile(`\d{4}-\d{2}-\d{2}T.*Z$`)},
	})
}

// schemaGroups are the rules of top-level objects and lists about the build itself.
func schemaGroups() map[string]rule {
	all := members("pkgdiff parent-pkgdiff", listOf(rule{min: 1}))
	with(all, members("advisories-diff parent-advisories-diff", listOf(rule{})))
	with(all, members(`coreos-assembler.container-config-git coreos-assembler.container-image-git
		coreos-assembler.yumrepos-git`, gitRule))
	return with(all, map[string]rule{
		keyImages:    imagesRule,
		"extensions": extensionsRule,
		"koji":       record("", with(members("token release", anyText), map[string]rule{"build_id": numeric})),
		"s3":         record("", members("bucket key public-url", anyText)),

		"coreos-assembler.oci-imported-labels": {typ: "object", rest: &anyText},
	})
}

// schemaClouds are the rules of what was uploaded to clouds and registries.
func schemaClouds() map[string]rule {
	all := members("oscontainer base-oscontainer extensions-container kubevirt", primaryImageRule)
	with(all, members("ibmcloud powervs", listOf(cloudRule)))
	with(all, members("amis aws-winli", listOf(amiRule)))
	return with(all, map[string]rule{
		"aliyun":          listOf(aliyunRule),
		"azure":           cloudRule,
		"gcp":             gcpRule,
		"release-payload": imageRule,
	})
}
