package compose

// A Treefile is a manifest with everything that it includes merged into it,
// its variables replaced and its defaults filled in. Meanings and defaults are
// those of rpm-ostree's treefile reference. Paths are absolute.
type Treefile struct {
	Name    string // metadata.name, else rojig.name
	Summary string // metadata.summary, likewise
	License string // metadata.license, likewise
	Arch    string // the basearch it was read for
	Edition string // "2014" unless the manifest says otherwise
	Ref     string // "" if the manifest names none

	Packages        []string // sorted, each once, packages-ARCH included
	ExcludePackages []string
	RepoPackages    []RepoPackages
	Repos           []string // ids; empty means every repository in the *.repo files
	LockfileRepos   []string
	Releasever      string
	RepoVars        map[string]string
	Recommends      bool     // install weak dependencies; default true
	Documentation   bool     // install documentation; default true
	InstallLangs    []string // nil means every language

	AddFiles           []AddFile
	RemoveFiles        []string   // paths relative to the root
	RemoveFromPackages [][]string // package, then regular expressions of paths

	Postprocess       []string // inline scripts in the order in which they run
	PostprocessScript string   // a file, run after Postprocess; "" if none
	Units             []string // systemd units to enable
	DefaultTarget     string   // such as multi-user.target; "" leaves it alone

	AutomaticVersionPrefix string
	AutomaticVersionSuffix string
	MutateOSRelease        string
	AddCommitMetadata      map[string]any

	InitramfsArgs   []string
	NoInitramfs     bool
	BootLocation    string // "new", "modules" or "kernel-install"
	TmpIsDir        bool
	MachineidCompat bool   // default true
	SELinux         bool   // default true
	Rpmdb           string // "target" unless the manifest says otherwise
	Container       bool

	PreservePasswd      bool // default true
	CheckPasswd         *Check
	CheckGroups         *Check
	IgnoreRemovedUsers  []string
	IgnoreRemovedGroups []string
	EtcGroupMembers     []string

	OstreeLayers         []string          // refs checked out below the packages
	OstreeOverrideLayers []string          // refs checked out over the packages
	Variables            map[string]string // with basearch and releasever

	// Files are the manifest and everything that it includes, in the order in
	// which they were read.
	Files []string

	merged map[string]*field // what the fields above were decoded from
}

// RepoPackages are packages that have to come from one repository.
type RepoPackages struct {
	Repo     string
	Packages []string
}

// An AddFile is a file of the configuration that is copied into the tree.
type AddFile struct {
	Source string // absolute path on this machine
	Target string // path in the tree
}

// A Check says what users or groups a tree must have (check-passwd, check-groups).
type Check struct {
	Type     string // "none", "previous", "file" or "data"
	Filename string // absolute, of type "file"
	Entries  map[string]any
}
