package compose

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"cosafs/materialize"
)

// What rpm printed in transactions that dnf called a success.
func TestScanOutput(t *testing.T) {
	for _, tt := range []struct{ name, output, want string }{
		{"nothing wrong", "Installing : foo\nwarning: /etc/foo created as /etc/foo.rpmnew\n", ""},
		{
			"post", "failing on purpose\nwarning: %post(foo-1.0-1.noarch) scriptlet failed, exit status 7\n",
			"%post scriptlet of package foo-1.0-1.noarch failed, exit status 7",
		},
		{
			"posttrans by signal", "warning: %posttrans(a-1:2-3.x86_64) scriptlet failed, signal 11\n",
			"%posttrans scriptlet of package a-1:2-3.x86_64 failed, signal 11",
		},
		{
			"pre", "error: %prein(foo-1-1.x86_64) scriptlet failed, exit status 1\nError in PREIN scriptlet in rpm package foo\n",
			"%prein scriptlet of package foo-1-1.x86_64 failed, exit status 1",
		},
		{"without detail", "Error in POSTIN scriptlet in rpm package foo\n", "POSTIN scriptlet of package foo failed"},
		{
			"detail after the vague line", "Error in POSTIN scriptlet in rpm package foo\nwarning: %post(foo-1-1.x86_64) scriptlet failed, exit status 2\n",
			"exit status 2",
		},
		{"user", "warning: user chrony does not exist - using root\n", "belongs to the user chrony"},
		{"group", "warning: group shadow does not exist - using root\n", "belongs to the group shadow"},
		{"payload", "Error unpacking rpm package foo-1-1.x86_64\n", "package foo-1-1.x86_64 could not be unpacked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s scanner
			for i := range tt.output { // however the pipe cuts it
				if _, err := s.Write([]byte{tt.output[i]}); err != nil {
					t.Fatal(err)
				}
			}
			err := s.failure()
			if tt.want == "" {
				if err != nil {
					t.Errorf("unexpected: %v", err)
				}
				return
			}
			class, hint := materialize.ClassOf(err)
			if err == nil || class != materialize.ClassPackage || hint == "" || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v (class %s, hint %q), want %q", err, class, hint, tt.want)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	c := &composition{DNF: NewDNF(Config{Workdir: "/w", Arch: "x86_64"}), tf: &Treefile{}}
	full := &scanner{}
	full.line("error: unpacking of archive failed on file /usr/bin/foo: cpio: write failed - No space left on device")
	full.line("Error unpacking rpm package foo-1-1.x86_64")
	post := &scanner{}
	post.line("error: %prein(foo-1-1.x86_64) scriptlet failed, exit status 1")
	quiet := &scanner{}
	for _, tt := range []struct {
		err  *driverError
		want materialize.Class
		says string
	}{
		{&driverError{kind: "missing", message: "Packages not found: a, b", trouble: quiet}, materialize.ClassPackage, "Packages not found: a, b"},
		{&driverError{kind: "depsolve", message: "nothing provides x", trouble: quiet}, materialize.ClassPackage, "nothing provides x"},
		{&driverError{kind: "no-repo", message: "Unknown rpm-md repository: r", name: "r", trouble: quiet}, materialize.ClassConfig, "repository: r"},
		{&driverError{kind: "network", message: "Cannot download repomd.xml", trouble: quiet}, materialize.ClassNetwork, "repomd.xml"},
		{&driverError{kind: "tool", message: "No module named 'dnf'", trouble: quiet}, materialize.ClassTool, "No module"},
		{&driverError{kind: "signature", message: "foo is not signed", trouble: quiet}, materialize.ClassPackage, "not signed"},
		{&driverError{kind: "transaction", message: "Could not run transaction.", trouble: full}, materialize.ClassSpace, "transaction"},
		{
			&driverError{kind: "transaction", message: "installing package a needs 20MB more space on the / filesystem", trouble: quiet},
			materialize.ClassSpace, "20MB",
		},
		{&driverError{kind: "network", message: "Curl error (23): [Errno 28] No space left on device", trouble: quiet}, materialize.ClassSpace, "Errno 28"},
		{&driverError{kind: "transaction", message: "Could not run transaction.", trouble: post}, materialize.ClassPackage, "%prein scriptlet"},
		{&driverError{kind: "died", err: errors.New("signal: killed"), trouble: quiet}, materialize.ClassInternal, "killed"},
	} {
		err := c.explain(tt.err)
		class, hint := materialize.ClassOf(err)
		if class != tt.want || !strings.Contains(err.Error(), tt.says) || hint == "" {
			t.Errorf("%s %q: class %s, error %v, hint %q", tt.err.kind, tt.err.message, class, err, hint)
		}
	}
}

func TestVariantText(t *testing.T) {
	for _, tt := range []struct {
		in   any
		want string
	}{
		{"it's a \\ and\na line", `'it\'s a \\ and\u000aa line'`},
		{5, "int64 5"},
		{1.5, "double 1.5"},
		{2.0, "int64 2"},
		{true, "true"},
		{[]any{"a", 1}, "@av [<'a'>,<int64 1>]"},
		{map[string]any{"b": false, "a": "x"}, "@a{sv} {'a':<'x'>,'b':<false>}"},
	} {
		if got, err := variantText(tt.in); err != nil || got != tt.want {
			t.Errorf("%v: %s, %v; want %s", tt.in, got, err, tt.want)
		}
	}
	if _, err := variantText(map[string]any{"a": nil}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("null: %v", err)
	}
}

// A long list of packages still fits into one argument of ostree (128 KiB).
func TestPackageListIsShort(t *testing.T) {
	var s solution
	for i := range 2000 {
		s.Packages = append(s.Packages, chosen{
			Name: fmt.Sprintf("package-number-%04d", i), Epoch: "0", Version: "1.20.3", Release: "4.fc44", Arch: "x86_64",
		})
	}
	if n := len(s.pkglist()); n > 128<<10 {
		t.Errorf("2000 packages take %d bytes", n)
	}
}
