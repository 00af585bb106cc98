package page

import (
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"

	"cosafs/materialize"
	"cosafs/vfs/access"
)

// A connect is what other programs need to know to come to the tree: commands to
// paste, with the address that the reader himself came by.
type connect struct {
	Host    string // with the port
	Secure  bool   // https
	User    string // "" for one who did not log in
	Dir     string // the directory of the page, in the tree
	Example string // a file there to fetch, "" for none
	Disk    string // a disk image there to start, "" for none
	Mounts  []string
}

// plainHost matches the hosts that may stand in a command. A request may carry
// anything for its Host, and what people paste into a shell must not surprise them.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9.\-]+(:[0-9]+)?$|^\[[0-9A-Fa-f:]+\](:[0-9]+)?$`)

// connect describes the tree as the request's sender reaches it.
func (s *Site) connect(r *http.Request, dir string) connect {
	c := connect{Host: r.Host, Secure: s.cfg.TLS || r.TLS != nil, User: access.Of(r.Context()).Name, Dir: dir}
	if !plainHost.MatchString(c.Host) {
		c.Host = "HOST"
	}
	if !s.cfg.Mounts {
		return c
	}
	if status, err := s.cfg.Service.Status(r.Context()); err == nil {
		c.Mounts = status.Mounts
	}
	return c
}

// examples chooses from a directory a file to fetch and a disk to start.
func examples(rows []row) (file, disk string) {
	for _, r := range rows {
		if r.Kind == "" || !stored(r.State) && r.State != materialize.StateBuildable {
			continue
		}
		if file == "" {
			file = r.Name
		}
		if ext := path.Ext(r.Name); disk == "" && r.Kind == "qemu" && (ext == ".qcow2" || ext == ".raw") {
			disk = r.Name
		}
	}
	if disk != "" {
		file = disk
	}
	return file, disk
}

func (c connect) scheme() string {
	if c.Secure {
		return "https"
	}
	return "http"
}

// Root is the address of the tree.
func (c connect) Root() string { return c.scheme() + "://" + c.Host + "/" }

// dav is an address for gvfs, which has schemes of its own.
func (c connect) dav(path string) string {
	scheme := "dav"
	if c.Secure {
		scheme = "davs"
	}
	return scheme + "://" + c.Host + path
}

// file is the address of a file of the directory.
func (c connect) file(name string) string { return c.scheme() + "://" + c.Host + c.path(name) }

func (c connect) path(name string) string { return href(join(c.Dir, name), false) }

// Curl fetches the example.
func (c connect) Curl() string {
	return command("curl -fL --retry 5 -C -", c.login("--user "), "-O", quote(c.file(c.Example)))
}

// RcloneCopy fetches the example, in ranges and with a new attempt where a line breaks.
func (c connect) RcloneCopy() string {
	return command("rclone copy", quote(":webdav:"+join(c.Dir, c.Example)), ".", c.rclone())
}

// RcloneMount mounts the tree.
func (c connect) RcloneMount() string {
	return command("rclone mount :webdav: ~/cosafs", c.rclone(), "--read-only --vfs-cache-mode full --daemon")
}

// rclone is what every rclone command needs. Its five minutes without a byte are less
// than a build takes.
func (c connect) rclone() string {
	login := c.login("--webdav-user ")
	if login != "" {
		login += ` --webdav-pass "$(rclone obscure PASSWORD)"`
	}
	return command("--webdav-url", quote(c.Root()), "--webdav-vendor other", login, "--timeout 30m")
}

// DavfsConf is what davfs2 needs in its configuration: it gives up after 30 seconds
// otherwise, can't list with its usual buffers on new kernels, and locks what is
// read-only.
func (c connect) DavfsConf() string {
	return "read_timeout 1800\nbuf_size 256\nuse_locks 0\nask_auth 0\n"
}

// DavfsSecret is the line for /etc/davfs2/secrets, "" where nobody logs in.
func (c connect) DavfsSecret() string {
	if c.User == "" {
		return ""
	}
	return c.Root() + " " + quote(c.User) + " PASSWORD"
}

// DavfsMount mounts the tree.
func (c connect) DavfsMount() string {
	return command("sudo mount -t davfs -o ro,uid=$(id -u)", quote(c.Root()), "/mnt/cosafs")
}

// GioMount mounts the tree for one desktop session.
func (c connect) GioMount() string { return command("gio mount", quote(c.dav("/"))) }

// GioCopy fetches the example.
func (c connect) GioCopy() string {
	return command("gio copy -p", quote(c.dav(c.path(c.Example))), ".")
}

// Mac mounts the tree as the Finder does.
func (c connect) Mac() string {
	return command("mkdir -p ~/cosafs && mount_webdav -S -i -o rdonly", quote(c.Root()), "~/cosafs")
}

// Windows connects the tree to a drive letter.
func (c connect) Windows() string {
	user := ""
	if c.User != "" && plainUser.MatchString(c.User) {
		user = "/user:" + c.User + " *"
	}
	return command(`net use * "`+c.Root()+`"`, user)
}

// WindowsRegistry raises the limits of Windows' WebClient: 47 MB a file, a minute for
// an answer.
func (c connect) WindowsRegistry() string {
	const set = `reg add HKLM\SYSTEM\CurrentControlSet\Services\WebClient\Parameters /f /t REG_DWORD /v `
	return set + "FileSizeLimitInBytes /d 4294967295\n" + set + "SendReceiveTimeoutInSec /d 1800\n" +
		"net stop WebClient && net start WebClient\n"
}

// plainUser matches names that need no quoting for Windows, whose rules differ from
// program to program.
var plainUser = regexp.MustCompile(`^[A-Za-z0-9._@-]+$`)

// QEMU starts a machine from the disk, which it reads as it goes; what the machine
// writes is dropped. qemu gives up after five seconds otherwise.
func (c connect) QEMU() string {
	scheme, format := c.scheme(), "raw"
	if path.Ext(c.Disk) == ".qcow2" {
		format = "qcow2"
	}
	drive := "if=virtio,format=" + format + ",file.driver=" + scheme + ",file.url=" + commas(c.file(c.Disk)) + ",file.timeout=1800"
	secret := ""
	if c.User != "" {
		secret = "-object secret,id=pw,data=PASSWORD"
		drive += ",file.username=" + commas(c.User) + ",file.password-secret=pw"
	}
	return command("qemu-system-x86_64 -m 2048 -accel kvm -snapshot", secret, "-drive", quote(drive))
}

// login is an option with the user's name, "" where nobody logs in.
func (c connect) login(option string) string {
	if c.User == "" {
		return ""
	}
	return option + quote(c.User)
}

// command joins the parts of a command, leaving out empty ones.
func command(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " ")
}

// commas doubles commas, as qemu wants them within a value.
func commas(value string) string { return strings.ReplaceAll(value, ",", ",,") }

// plainWord matches what no shell sees anything in.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,\-]+$`)

// quote gives a word to a POSIX shell as it is.
func quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
