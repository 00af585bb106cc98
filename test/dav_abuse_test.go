package test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cosafs/test/storegen"
)

// An abuse is what nobody sends who means well, and how it may be answered.
type abuse struct {
	name    string
	request string // as it goes over the wire
	want    string // statuses, separated by spaces; "" is a closed connection
}

func abuses() []abuse {
	const end = " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
	propfind := func(body string) string {
		return fmt.Sprintf("PROPFIND /%sDepth: 1\r\nContent-Length: %d\r\n\r\n%s", end, len(body), body)
	}
	bomb := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>` +
		`<propfind xmlns="DAV:"><prop><displayname>&b;</displayname></prop></propfind>`
	return []abuse{
		{"header flood", "GET /" + end + strings.Repeat("X-Flood: "+strings.Repeat("x", 1000)+"\r\n", 300) + "\r\n", "431"},
		{"long line", "GET /" + strings.Repeat("a", 300<<10) + end + "\r\n", "431 414"},
		{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n", "400"},
		{"huge PROPFIND", propfind("<propfind xmlns=\"DAV:\"><prop>" + strings.Repeat("<displayname/>", 200_000) + "</prop></propfind>"), "400 413"},
		{"deep PROPFIND", propfind(strings.Repeat("<a>", 100_000)), "400 413"},
		{"XML bomb", propfind(bomb), "400"},
		{"endless tree", "PROPFIND /" + end + "Depth: infinity\r\n\r\n", "403"},
		{"dots", "GET /../../../../etc/passwd" + end + "\r\n", "400 404 301"},
		{"encoded dots", "GET /%2e%2e/%2e%2e/etc/passwd" + end + "\r\n", "400 404 301"},
		{"encoded slashes", "GET /..%2f..%2fetc%2fpasswd" + end + "\r\n", "400 404"},
		{"upload dots", "PUT /upload/../../../etc/cosafs" + end + "Content-Length: 1\r\n\r\nx", "400 403 404 301"},
		{"encoded upload dots", "PUT /upload/%2e%2e%2fcosafs" + end + "Content-Length: 1\r\n\r\nx", "400 403 404"},
		{"NUL", "GET /builds.json%00.txt" + end + "\r\n", "400 404"},
		{"no UTF-8", "GET /%ff%fe" + end + "\r\n", "400 404"},
		{"backslashes", "GET /..%5c..%5cetc%5cpasswd" + end + "\r\n", "400 404"},
		{"unknown method", "BREW /" + end + "\r\n", "405 501"},
		{"write", "DELETE /builds.json" + end + "\r\n", "403"},
		{"two lengths", "POST /v1/build" + end + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "400"},
		{"smuggling", "POST /v1/build" + end + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\n\r\n", "400"},
		{"huge call", fmt.Sprintf("POST /v1/build%sContent-Length: %d\r\n\r\n%s", end, 3<<20, strings.Repeat(" ", 3<<20)), "413 400"},
		{"another host", "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "421"},
		{"cross-site call", "POST /v1/build" + end + "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 2\r\n\r\n{}", "403"},
	}
}

// What nobody sends who means well is refused and noted, and the others are served
// on, also while three hundred connections dawdle.
func TestDAVAbuse(t *testing.T) {
	needTools(t)
	e := newEnv(t)
	e.mkdir(filepath.Join(e.work, "src", "config"))
	upload := filepath.Join(e.dir, "upload")
	e.mkdir(upload)
	if _, err := storegen.Make(t.Context(), storegen.Config{Dir: filepath.Join(e.work, "builds"), Builds: 3}); err != nil {
		t.Fatal(err)
	}
	d := e.door("--upload-dir", upload)
	addr := strings.TrimSuffix(strings.TrimPrefix(d.url, "http://"), "/")
	dawdle(t, addr, 300)
	for _, a := range abuses() {
		t.Run(a.name, func(t *testing.T) {
			status, body := send(t, addr, a.request)
			if !strings.Contains(" "+a.want+" ", " "+status+" ") {
				t.Errorf("answered %q, want one of %q: %.200s", status, a.want, body)
			}
			if strings.Contains(body, "root:") {
				t.Errorf("a file of this machine came: %.200s", body)
			}
			alive(t, d.url)
		})
	}
	if left, err := filepath.Glob(filepath.Join(upload, "[^.]*")); err != nil || len(left) > 0 {
		t.Errorf("the upload directory has %v, %v", left, err)
	}
	log, err := os.ReadFile(filepath.Join(e.dir, "log"))
	for _, noted := range []string{"etc/passwd", "evil.example", "builds.json"} {
		if err != nil || !strings.Contains(string(log), noted) {
			t.Errorf("the log does not tell of %s: %v", noted, err)
		}
	}
}

// dawdle opens connections that never finish their first line.
func dawdle(t *testing.T, addr string, n int) {
	t.Helper()
	for range n {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() }) // it served its purpose
		if _, err := io.WriteString(conn, "GET / HT"); err != nil {
			t.Fatal(err)
		}
	}
}

// send writes a request as it is and gives the answer's status, "" for none, and
// the beginning of its body.
func send(t *testing.T, addr, request string) (status, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // one request each
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	wrote := make(chan struct{})
	go func() { // the answer may come before all was taken
		defer close(wrote)
		_, _ = io.WriteString(conn, request)
	}()
	defer func() { _ = conn.Close(); <-wrote }()              // ends the writing
	res, err := http.ReadResponse(bufio.NewReader(conn), nil) //nolint:bodyclose // the connection is closed
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("no answer, and the connection stays open")
		}
		return "", ""
	}
	head := make([]byte, 4096)
	n, _ := io.ReadFull(res.Body, head) // as much as there is
	return fmt.Sprint(res.StatusCode), string(head[:n])
}

// alive says that others are served.
func alive(t *testing.T, url string) {
	t.Helper()
	res, err := http.Get(url + "builds.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("GET builds.json: %s, %v", res.Status, err)
	}
}
