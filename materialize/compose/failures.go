package compose

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"syscall"

	"cosafs/materialize"
)

// A cause is something that rpm-ostree is known to fail of.
type cause struct {
	pattern *regexp.Regexp // of the message
	class   materialize.Class
	// hint is what to do; $1 and so on are the pattern's groups.
	hint string
}

// causes are the failures of rpm-ostree 2025.6 that a person can mend, the
// first match wins.
func causes() []cause {
	c := func(pattern string, class materialize.Class, hint string) cause {
		return cause{regexp.MustCompile(pattern), class, hint}
	}
	return []cause{
		c(`Packages not found: (.*)`, materialize.ClassPackage,
			"check the spelling of $1 in the manifest, add the repository that has it, or mend the lockfile or exclude-packages that hides it"),
		c(`Could not depsolve transaction`, materialize.ClassPackage,
			"add the repository that provides what is missing, or take the package out of the manifest"),
		c(`Unknown rpm-md repository: (\S+)`, materialize.ClassConfig,
			"define [$1] in a *.repo file beside the manifest, or take it out of repos"),
		c(`cannot be verified and repo (\S+) is GPG enabled`, materialize.ClassPackage,
			"name the key with gpgkey= in the *.repo file that defines $1, or set gpgcheck=0 there"),
		c(`Updating rpm-md repo '([^']+)'`, materialize.ClassNetwork,
			"check the baseurl of $1 in its *.repo file, and that this machine reaches it"),
		c(`(?i)(downloading|fetching|curl error|could not resolve host|connection refused|timeout was reached)`, materialize.ClassNetwork,
			"check that this machine reaches the repositories, then try again"),
		c(`Running (%\w+) for ([^:]+): .*(killed by signal|exited with)`, materialize.ClassPackage,
			"the log has what the script printed, on lines that begin with $2; mend or replace the package, for instance in overrides/rpm"),
		c(`postprocessing script.*(killed by signal|exited with)`, materialize.ClassConfig,
			"mend the postprocess script of the manifest; the log has what it printed"),
		c(`/usr/lib/modules is empty|No kernel`, materialize.ClassConfig,
			"add a kernel package to the manifest's packages"),
		c(`bwrap test failed|Failed to execute child process .bwrap|bwrap: `, materialize.ClassTool,
			"install bubblewrap, and run where / is a mount point (not in a plain chroot)"),
		c(`Creating bwrap instance|rofiles-fuse|/dev/fuse`, materialize.ClassTool,
			"run as root, with rofiles-fuse (package ostree) and /dev/fuse; or name a container image that holds rpm-ostree"),
		c(`Unable to load SELinux policy`, materialize.ClassConfig,
			"set selinux: false in the manifest, or compose where an SELinux policy is installed"),
		c(`failed to merge entries into /etc/(passwd|group)`, materialize.ClassConfig,
			"set preserve-passwd: false in the manifest, or check-passwd and check-groups of type file"),
		c(`Handling treefile '([^']+)'`, materialize.ClassConfig, "mend $1 in the manifest: what it names is not in the tree"),
		c(`^Parsing ([^:]+): `, materialize.ClassConfig, "edit $1"),
		c(`Can't open file "([^"]+)"`, materialize.ClassConfig, "create $1, or take it out of what includes it"),
		c(`Include loop detected`, materialize.ClassConfig, "include each file once"),
		c(`Refspec '([^']+)' not found`, materialize.ClassConfig, "the parent $1 is not in the repository: fetch its build, or compose without a parent"),
		c(`Missing '=' in KEY=VALUE|usage error:`, materialize.ClassConfig, "check the extra arguments for rpm-ostree"),
		c(`Unknown option (\S+)`, materialize.ClassTool, "rpm-ostree here does not know $1: 2025.6 or newer is needed; check the extra arguments, too"),
		c(`[Uu]nable to find image|initializing source|pulling image|short-name`, materialize.ClassNetwork,
			"check the name of the container image, and that this machine reaches its registry"),
		c(`Updating '([^']+)'|Writing commit-id to (\S+)`, materialize.ClassInternal,
			"the commit was made but not reported; compose again"),
	}
}

// misreported is a script's non-zero exit as rpm-ostree tells it: it takes the
// exit status for a wait status.
var misreported = regexp.MustCompile(`Child process killed by signal (\d+)`)

// composeFailure explains a run that failed by what it printed.
func composeFailure(stdout, stderr string, signal syscall.Signal, err error) error {
	if signal != 0 {
		return killed(stderr, signal, err)
	}
	message := misreported.ReplaceAllString(lastError(stderr), "script exited with status $1")
	if message == "" {
		message = "rpm-ostree failed without a message"
	}
	if said := scriptSaid(stdout, message); said != "" {
		message += ", after it said: " + said
	}
	f := materialize.Fail(materialize.ClassInternal, "compose", "read the log", fmt.Errorf("%s (%w)", message, err))
	if noSpace(stderr) || noSpace(stdout) {
		f.Class, f.Hint = materialize.ClassSpace, "free some space and try again"
		return f
	}
	for _, c := range causes() {
		if m := c.pattern.FindStringSubmatchIndex(message); m != nil {
			f.Class, f.Hint = c.class, string(c.pattern.ExpandString(nil, c.hint, message, m))
			break
		}
	}
	if strings.Contains(stderr, "Couldn't find locked package") {
		f.Hint = "the lockfile names packages that the repositories don't have (see the log): mend or delete it"
	}
	return f
}

// scriptlet is how a message names a package's script.
var scriptlet = regexp.MustCompile(`Running %(\w+) for ([^:]+): `)

// scriptSaid gives the last line that a failed package script printed;
// rpm-ostree puts PACKAGE.SCRIPT in front of each.
func scriptSaid(stdout, message string) string {
	m := scriptlet.FindStringSubmatch(message)
	if m == nil {
		return ""
	}
	said := ""
	for line := range strings.Lines(stdout) {
		if rest, ok := strings.CutPrefix(line, m[2]+"."+m[1]+": "); ok {
			said = strings.TrimSpace(rest)
		}
	}
	return said
}

// killed explains a death by signal.
func killed(stderr string, signal syscall.Signal, err error) error {
	switch signal {
	case syscall.SIGKILL:
		return materialize.Fail(materialize.ClassTool, "compose", "if memory ran out (see journalctl -k), free some and try again",
			fmt.Errorf("rpm-ostree was killed (%w)", err))
	case syscall.SIGABRT:
		return materialize.Fail(materialize.ClassInternal, "compose", "a fault of rpm-ostree; the log has the failed assertion",
			fmt.Errorf("rpm-ostree aborted: %s (%w)", lastLine(stderr), err))
	default:
		return materialize.Fail(materialize.ClassTool, "compose", "somebody or something ended rpm-ostree; try again",
			errors.Join(fmt.Errorf("rpm-ostree ended by %s", signal), err))
	}
}

// lastError gives the last message on stderr as one line: what follows the last
// "error: ", continued lines included; without one, the last line.
func lastError(stderr string) string {
	at := -1
	for _, mark := range []string{"error: ", "Error: "} { // podman's is capital
		if strings.HasPrefix(stderr, mark) {
			at = max(at, 0)
		}
		if i := strings.LastIndex(stderr, "\n"+mark); i >= 0 {
			at = max(at, i+1)
		}
	}
	if at < 0 {
		return lastLine(stderr)
	}
	return strings.Join(strings.Fields(stderr[at+len("error: "):]), " ")
}
