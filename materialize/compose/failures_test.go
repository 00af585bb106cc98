package compose_test

import (
	"strings"
	"testing"

	"cosafs/materialize"
)

// Each case replays what rpm-ostree printed and how it ended.
func TestComposeFailures(t *testing.T) {
	tests := []struct {
		name  string
		class materialize.Class
		says  string // in the message
		hint  string // in the hint
	}{
		{"missing-package", materialize.ClassPackage, "Packages not found: nosuch", "spelling of nosuch"},
		{"broken-dependency", materialize.ClassPackage, "nothing provides no-such-capability >= 3 needed by broken-1-1.noarch", "provides what is missing"},
		{"bad-yaml", materialize.ClassConfig, "line 2 column 6", "edit conf/bad.yaml"},
		{"bad-json", materialize.ClassConfig, "trailing comma", "edit conf/bad.json"},
		{"unknown-key", materialize.ClassConfig, "Unknown fields: frobnicate", "edit conf/m.yaml"},
		{"duplicate-key", materialize.ClassConfig, "duplicate field `ref`", "edit conf/m.yaml"},
		{"missing-include", materialize.ClassConfig, "nosuch.yaml", "create conf/nosuch.yaml"},
		{"include-loop", materialize.ClassConfig, "Include loop", "once"},
		{"missing-repo-id", materialize.ClassConfig, "nosuchrepo", "[nosuchrepo]"},
		{"repo-unreachable", materialize.ClassNetwork, "no-such-dir was not found", "baseurl of dead"},
		{"unsigned", materialize.ClassPackage, "cannot be verified", "gpgkey"},
		{"locked-package", materialize.ClassPackage, "Packages not found: app", "lockfile"},
		{"bad-repo-path", materialize.ClassInternal, "opendir(nonexist)", "log"},
		{"no-treefile", materialize.ClassConfig, "TREEFILE must be specified", "extra arguments"},
		{"unknown-flag", materialize.ClassTool, "--frob", "2025.6"},
		{"failing-scriptlet", materialize.ClassPackage, "exited with status 7, after it said: about to fail", "failpost"},
		{"failing-postprocess", materialize.ClassConfig, "exited with status 3", "postprocess"},
		{"no-kernel", materialize.ClassConfig, "/usr/lib/modules is empty", "kernel package"},
		{"selinux", materialize.ClassConfig, "SELinux", "selinux: false"},
		{"preserve-passwd", materialize.ClassConfig, "/etc/passwd", "preserve-passwd: false"},
		{"default-target", materialize.ClassConfig, "default-target", "mend default-target"},
		{"no-bwrap", materialize.ClassTool, "bwrap", "install bubblewrap"},
		{"no-fuse", materialize.ClassTool, "Creating bwrap instance", "/dev/fuse"},
		{"not-root", materialize.ClassTool, "Creating bwrap instance", "root"},
		{"bogus-parent", materialize.ClassConfig, "Refspec '0000' not found", "parent"},
		{"bad-metadata", materialize.ClassConfig, "novalue", "extra arguments"},
		{"disk-full", materialize.ClassSpace, "No space left on device", "free some space"},
		{"commitid-unwritable", materialize.ClassInternal, "commit-id", "compose again"},
		{"no-image", materialize.ClassNetwork, "no such host", "container image"},
		{"silent", materialize.ClassInternal, "without a message", "log"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReplay(t, tt.name, manifest, "")
			_, err := r.compose(t.Context(), t, materialize.ComposeRequest{})
			class, hint := materialize.ClassOf(err)
			if class != tt.class || !strings.Contains(hint, tt.hint) {
				t.Errorf("class %s, hint %q of %v", class, hint, err)
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v does not say %q on one line", err, tt.says)
			}
		})
	}
}
