package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/test/davclient"
	"cosafs/test/need"
)

// loginClients are programs of others with each kind of login that they know. $CA, $TOKEN
// and the files are those of the test.
func loginClients() []davclient.Client {
	curl := func(login string) string { return `curl -fsSO --cacert "$CA" ` + login + ` "$URL"` }
	wget := func(login string) string { return `wget -nv --ca-certificate="$CA" ` + login + ` "$URL"` }
	rclone := func(login string) string {
		return `rclone copyto ":webdav:$FILE" "$NAME" --config= --webdav-url "https://$HOST/" --retries 1 --ca-cert "$CA" ` + login
	}
	return []davclient.Client{
		{Name: "curl/password", Tools: []string{"curl"}, Script: curl(`-u "alice:secret of alice"`)},
		{Name: "curl/netrc", Tools: []string{"curl"}, Script: `echo 'machine 127.0.0.1 login ci password '$TOKEN >.netrc; ` + curl(`--netrc`)},
		{Name: "curl/token", Tools: []string{"curl"}, Script: curl(`--oauth2-bearer $TOKEN`)},
		{Name: "curl/certificate", Tools: []string{"curl"}, Script: curl(`--cert "$BOSS.pem" --key "$BOSS.key"`)},
		// wget sends a password only after a 401.
		{Name: "wget/password", Tools: []string{"wget"}, Script: wget(`--user=alice --password="secret of alice"`)},
		{Name: "wget/token", Tools: []string{"wget"}, Script: wget(`--header="Authorization: Bearer $TOKEN"`)},
		{Name: "wget/certificate", Tools: []string{"wget"}, Script: wget(`--certificate="$BOSS.pem" --private-key="$BOSS.key"`)},
		{Name: "rclone/password", Tools: []string{"rclone"}, Script: rclone(`--webdav-user alice --webdav-pass "$(rclone obscure "secret of alice")"`)},
		{Name: "rclone/token", Tools: []string{"rclone"}, Script: rclone(`--webdav-bearer-token $TOKEN`)},
		{Name: "rclone/certificate", Tools: []string{"rclone"}, Script: rclone(`--client-cert "$BOSS.pem" --client-key "$BOSS.key"`)},
		{Name: "davfs2/password", Tools: []string{"mount.davfs", "fuse"}, Script: davfs2Login(`echo "https://$HOST/ alice \"secret of alice\"" >>secrets`)},
		{Name: "davfs2/token", Tools: []string{"mount.davfs", "fuse"}, Script: davfs2Login(`echo "add_header Authorization \"Bearer $TOKEN\"" >>davfs2.conf`)},
		{Name: "davfs2/certificate", Tools: []string{"mount.davfs", "fuse"}, Script: davfs2Login(`
			openssl pkcs12 -export -in "$BOSS.pem" -inkey "$BOSS.key" -out /run/boss.p12 -passout pass:frame
			echo "clientcert /run/boss.p12" >>davfs2.conf; echo "/run/boss.p12 frame" >>secrets`)},
	}
}

// davfs2Login mounts with a login that is added to secrets or davfs2.conf. Of root's
// mounts the secrets are always those of the system. Files are named below /run, as its
// own account reads some, which can't look into a test's directory.
func davfs2Login(add string) string {
	return `
	mkdir -p mnt cache; chmod 777 cache; mount --bind cache /var/cache/davfs2; mount -t tmpfs tmpfs /run
	cp "$CA" /run/ca.pem; touch secrets; chmod 600 secrets
	printf '%s\n' 'ask_auth 0' 'use_locks 0' 'buf_size 256' "trust_ca_cert /run/ca.pem" >davfs2.conf
	` + add + `
	mount --bind secrets /etc/davfs2/secrets
	mount -t davfs -o "ro,conf=$PWD/davfs2.conf" "https://$HOST/" mnt
	cp "mnt/$FILE" .`
}

// Programs of others log in by each way that they know, over TLS, with the options
// that their manuals name.
func TestDAVClientsLogIn(t *testing.T) {
	e := newServed(t, "openssl", "htpasswd")
	d, token := guarded(e)
	file := filepath.Join(e.builds()[0], "x86_64", "meta.json")
	want, err := os.ReadFile(filepath.Join(e.work, "builds", file))
	if err != nil {
		t.Fatal(err)
	}
	names := "CA='" + e.dir + "/ca.pem'; BOSS='" + e.dir + "/boss'; TOKEN='" + token + "'\n"
	for _, c := range loginClients() {
		t.Run(c.Name, func(t *testing.T) {
			c.Need(t)
			c.Script = names + c.Script
			f := c.Start(t, d.url+file)
			if err := f.Wait(); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(f.File); err != nil || string(got) != string(want) {
				t.Errorf("fetched %d bytes, %v; want %d", len(got), err, len(want))
			}
		})
	}
}

// cadaver can't be told of an authority but on a terminal, so it logs in without TLS,
// which on the server's own machine is allowed.
func TestDAVCadaverLogsIn(t *testing.T) {
	e := newServed(t, "htpasswd")
	need.Tool(t, "cadaver")
	e.htpasswd("alice", "secret-of-alice")
	d := e.door("--htpasswd", filepath.Join(e.dir, "users"))
	script := `
		echo "machine 127.0.0.1 login alice password PASSWORD" >.netrc
		echo "get /$FILE" | cadaver "http://$HOST/"; test -s "$NAME"`
	for password, want := range map[string]bool{"secret-of-alice": true, "a-guess": false} {
		c := davclient.Client{Name: "cadaver", Tools: []string{"cadaver"}, Script: strings.Replace(script, "PASSWORD", password, 1)}
		c.Need(t)
		if err := c.Start(t, d.url+"builds.json").Wait(); (err == nil) != want {
			t.Errorf("cadaver with %s: %v", password, err)
		}
	}
}
