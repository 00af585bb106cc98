package index_test

import (
	"fmt"

	"cosafs/index"
)

func Example() {
	m, err := index.ParseMeta([]byte(`{
		"buildid": "41.1", "name": "fedora-coreos",
		"images": {"qemu": {"path": "fedora-coreos-41.1-qemu.x86_64.qcow2.xz", "sha256": "00", "size": "454"}}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, im := range m.Images() {
		file, err := im.File()
		kind, compression, _ := index.ParseFileName(file, m.Name(), m.BuildID(), "x86_64")
		fmt.Println(kind, compression, im.Size, index.ShortName(kind), err)
	}
	// Output: qemu xz 454 qemu.qcow2 <nil>
}
