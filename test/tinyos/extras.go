package tinyos

import "fmt"

// The packages that are in the repository but not in the manifest.
const (
	HelloName    = "hello"           // see [Hello]
	ExtraName    = "tinyos-extra"    // one file: /usr/share/tinyos/extra
	FailPostName = "tinyos-failpost" // its %post exits 7
	BrokenName   = "tinyos-broken"   // requires a package that exists nowhere
	KernelName   = "kernel"          // in the manifest; without it nothing boots
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
	return []Package{
		Hello("1.0"),
		{Name: ExtraName, Version: "1.0", Release: "1", Files: extra},
		{
			Name: FailPostName, Version: "1.0", Release: "1", Files: Tree{},
			Requires: []string{"tinyos-busybox"}, Post: "echo failing on purpose\nexit 7\n",
		},
		{Name: BrokenName, Version: "1.0", Release: "1", Files: Tree{}, Requires: []string{"nonesuch"}},
	}
}
