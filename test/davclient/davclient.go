// Package davclient runs the programs of others that people fetch files with, by
// http or by WebDAV, as a person would run them.
//
// Each run has a mount table and process table of its own: whatever daemons the
// program starts, and whatever it mounts, is gone when the run ends, however it
// ends.
package davclient

import (
	"testing"

	"cosafs/test/need"
)

// A Client is a program that fetches a file.
type Client struct {
	Name string
	// Tools are what [need.Tool] is asked for besides root.
	Tools []string
	// Script is what a person types. It fetches $URL, which is /$FILE at $HOST, to
	// the file $NAME of the working directory, and fails where it can't.
	Script string

	// Interim says that the program's patience is renewed by 102 Processing; the
	// others take that for an answer, or wait for ever anyhow.
	Interim bool
	// Sized says that the program reads no more bytes than the listing said there
	// are: nothing of a file that is listed without a size, or not listed.
	Sized bool
	// Retries is how many GETs more than one the program does for a fetch that
	// fails for good.
	Retries int
}

// All gives every client. Options that are there because the program's default
// fails have a comment.
func All() []Client { return append(downloaders(), listers()...) }

// downloaders are programs that ask for a URL.
func downloaders() []Client {
	return []Client{
		// Without -f curl keeps the text of an error as if it was the file.
		{Name: "curl", Tools: []string{"curl"}, Script: `curl -fsSO "$URL"`, Interim: true},
		{Name: "wget", Tools: []string{"wget"}, Script: `wget -nv "$URL"`},
		{Name: "aria2", Tools: []string{"aria2c"}, Script: `aria2c -q "$URL"`, Interim: true},
		// cadaver ends with 0 whatever happens, and leaves an empty file.
		{Name: "cadaver", Tools: []string{"cadaver"}, Script: `echo "get /$FILE" | cadaver "http://$HOST/"; test -s "$NAME"`, Interim: true},
		{Name: "gio", Tools: []string{"dbus-run-session", "gio", "/usr/libexec/gvfsd-dav"}, Script: `
			dbus-run-session -- sh -euc 'gio mount "dav://$HOST/"; gio copy "dav://$HOST/$FILE" "$NAME"'`, Interim: true},
	}
}

// listers are programs that look at the listing, or at HEAD, before they read.
func listers() []Client {
	return []Client{
		{Name: "davfs2", Tools: []string{"mount.davfs", "fuse"}, Script: Davfs2 + `cp "mnt/$FILE" .`, Interim: true, Sized: true},
		{Name: "rclone", Tools: []string{"rclone"}, Script: `
			rclone copyto ":webdav:$FILE" "$NAME" --config= --webdav-url "http://$HOST/" --timeout 30m --retries 1`, Sized: true, Retries: 2},
		{Name: "rclone-mount", Tools: []string{"rclone", "fuse", "fusermount3"}, Script: RcloneMount + `cp "mnt/$FILE" .`, Sized: true, Retries: 14},
		// The http driver's time limit for a request is 5 s where nobody says otherwise.
		// With more than one request at a time that of qemu 7.2 may stop for good, of
		// whatever server. What qemu-img leaves where it fails has the image's size.
		{Name: "qemu-img", Tools: []string{"qemu-img"}, Script: `
			qemu-img convert -m 1 -f raw -O raw "json:{\"file\":{\"driver\":\"http\",\"url\":\"$URL\",\"timeout\":1800}}" "$NAME" || { rm -f "$NAME"; exit 1; }`, Sized: true, Retries: 9},
	}
}

// Davfs2 mounts the root of $HOST at mnt. The cache is on the disk of the working
// directory, and where davfs2's own account can reach it. With its default
// buf_size of 16 (KiB) newer kernels refuse what it lists; its read_timeout of 30
// (s) is renewed by 102 with neon up to 0.32 only; locks are no use to a reader.
const Davfs2 = `
	mkdir -p mnt cache; chmod 777 cache; mount --bind cache /var/cache/davfs2; mount -t tmpfs tmpfs /run
	printf '%s\n' 'ask_auth 0' 'use_locks 0' 'buf_size 256' 'read_timeout 1800' >davfs2.conf
	mount -t davfs -o "ro,conf=$PWD/davfs2.conf" "http://$HOST/" mnt
	`

// RcloneMount mounts the root of $HOST at mnt. Without --timeout rclone gives up
// waiting after 5 minutes, and asks again.
const RcloneMount = `
	mkdir -p mnt cache
	rclone mount :webdav: mnt --config= --webdav-url "http://$HOST/" --read-only --vfs-cache-mode full --cache-dir cache --timeout 30m --daemon
	`

// Need asks for the client's tools.
func (c Client) Need(tb testing.TB) {
	tb.Helper()
	need.Tool(tb, append([]string{"root", "unshare"}, c.Tools...)...)
}
