package page

import (
	"os/exec"
	"testing"

	"cosafs/test/need"
)

// TestQuote has a shell say what it takes a quoted word for.
func TestQuote(t *testing.T) {
	need.Tool(t, "sh")
	for _, word := range []string{"plain", "", "a b", "$(id)", "it's", "`id`", "a;b|c&d", "\n", "*", "~", "!x", `\`, "--x=1"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q became %q: %v", word, out, err)
		}
	}
}

func TestCommands(t *testing.T) {
	c := connect{Host: "h:1", Secure: true, User: "o'neill", Dir: "1/x86_64", Example: "a,$(id) b.qcow2", Disk: "a,b.qcow2"}
	for _, check := range []struct{ got, want string }{
		{c.Curl(), `curl -fL --retry 5 -C - --user 'o'\''neill' -O 'https://h:1/1/x86_64/a,$%28id%29%20b.qcow2'`},
		{c.RcloneCopy(), `rclone copy ':webdav:1/x86_64/a,$(id) b.qcow2' . --webdav-url https://h:1/ --webdav-vendor other --webdav-user 'o'\''neill' --webdav-pass "$(rclone obscure PASSWORD)" --timeout 30m`},
		{c.QEMU(), `qemu-system-x86_64 -m 2048 -accel kvm -snapshot -object secret,id=pw,data=PASSWORD -drive 'if=virtio,format=qcow2,file.driver=https,file.url=https://h:1/1/x86_64/a,,b.qcow2,file.timeout=1800,file.username=o'\''neill,file.password-secret=pw'`},
		{c.GioMount(), "gio mount davs://h:1/"},
		{c.Windows(), `net use * "https://h:1/"`}, // a name that Windows would need quoted is left to its prompt
		{connect{Host: "h"}.DavfsMount(), "sudo mount -t davfs -o ro,uid=$(id -u) http://h/ /mnt/cosafs"},
		{connect{Host: "h"}.DavfsSecret(), ""},
		{connect{Host: "h", User: "ada"}.Windows(), `net use * "http://h/" /user:ada *`},
	} {
		if check.got != check.want {
			t.Errorf("%s\nwant %s", check.got, check.want)
		}
	}
}

func TestPlainHost(t *testing.T) {
	for host, want := range map[string]bool{
		"builds.example": true, "builds.example:8080": true, "10.0.0.1:80": true, "[::1]:8080": true, "[fe80::1]": true,
		"": false, "a b": false, "$(id)": false, "a;b": false, "a'b": false, "a:b": false, "%PATH%": false,
	} {
		if plainHost.MatchString(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}
