package tinyos

import (
	_ "embed"
	"fmt"
)

//go:embed files/coreos-installer
var installer []byte

// The packages that are in the repository but not in the manifest.
const (
	HelloName = "hello" // see [Hello]
	// InstallerName is a stand-in for coreos-installer, with an example of its configuration.
	InstallerName = "coreos-installer"
	ExtraName     = "tinyos-extra"    // one file: /usr/share/tinyos/extra
	FailPostName  = "tinyos-failpost" // its %post exits 7
	BrokenName    = "tinyos-broken"   // requires a package that exists nowhere
	KernelName    = "kernel"          // in the manifest; without it nothing boots
)

// Hello is a package with a program that prints its version; a booted tinyos
// that has it prints that line on the console.
func Hello(version string) Package {
	t := Tree{}
	t.put("/usr/bin/hello", fmt.Appendf(nil, "#!/bin/sh\necho hello %s\n", version), 0o755)
	return Package{Name: HelloName, Version: version, Release: "1", Files: t, Requires: []string{"tinyos-busybox"}}
}

// extras are good and bad packages for tests.
func extras() []Package {
	extra := Tree{}
	extra.put("/usr/share/tinyos/extra", []byte("extra\n"), 0o644)
	program := Tree{}
	program.put("/usr/bin/coreos-installer", installer, 0o755)
	program.put("/usr/share/coreos-installer/example-config.yaml", []byte("image-url: https://example.org\ncopy-network: true\n"), 0o644)
	return []Package{
		Hello("1.0"),
		{Name: InstallerName, Version: "1.0", Release: "1", Files: program, Requires: []string{"tinyos-busybox"}},
		{Name: ExtraName, Version: "1.0", Release: "1", Files: extra},
		{
			Name: FailPostName, Version: "1.0", Release: "1", Files: Tree{},
			Requires: []string{"tinyos-busybox"}, Post: "echo failing on purpose\nexit 7\n",
		},
		{Name: BrokenName, Version: "1.0", Release: "1", Files: Tree{}, Requires: []string{"nonesuch"}},
	}
}
