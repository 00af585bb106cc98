package main

import (
	"io"
	"strings"
	"testing"
)

func TestArrange(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"as the parser wants it", "cosafs --json list", "cosafs --json list --"},
		{"globals last", "cosafs list --json -C wd", "cosafs --json -C wd list --"},
		{"options after arguments", "cosafs ls 41.1 --all", "cosafs ls --all -- 41.1"},
		{"a value is no argument", "cosafs prune --build 1 -n 2", "cosafs prune --build 1 -n 2 --"},
		{"joined value", "cosafs prune --build=1 x", "cosafs prune --build=1 -- x"},
		{"the command's own wins", "cosafs build --version 7", "cosafs build --version 7 --"},
		{"cosa's spelling", "cosafs buildextend-metal --build 1", "cosafs extend --build 1 -- metal"},
		{"subcommand", "cosafs aws upload 1 --public --json", "cosafs --json aws upload --public -- 1"},
		{"unknown subcommand", "cosafs aws download --x", "cosafs aws download --x"},
		{"cosa's upload", "cosafs buildextend-aws --upload --build 1", "cosafs aws upload --upload --build 1 --"},
		{"cosa's upload of old", "cosafs buildextend-ec2 --region r", "cosafs aws upload --region r --"},
		{"cosa's upload of today", "cosafs imageupload-aws", "cosafs aws upload --"},
		{"cosa's copies", "cosafs aws-replicate --region r", "cosafs aws replicate --region r --"},
		{"cosa's file", "cosafs buildextend-aws", "cosafs extend -- aws"},
		{"after two dashes all is plain", "cosafs umount -- --odd", "cosafs umount -- --odd"},
		{"a dash is an argument", "cosafs plan -", "cosafs plan -- -"},
		{"help of a command", "cosafs list --help", "cosafs list --help --"},
		{"help command", "cosafs help list", "cosafs help list"},
		{"nothing", "cosafs", "cosafs"},
	}
	app := newProgram(nil, io.Discard, io.Discard, nil).app()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			line, err := arrange(app, strings.Fields(tt.in))
			if got := strings.Join(line, " "); err != nil || got != tt.want {
				t.Errorf("arrange(%s) = %s, %v, want %s", tt.in, got, err, tt.want)
			}
		})
	}
}

// Whatever is typed, no word is lost or made up, but for cosa's aliases.
func FuzzArrange(f *testing.F) {
	f.Add("cosafs ls 41.1 --all -C wd -- --x")
	f.Add("cosafs --json=true build -n")
	f.Add("-- list")
	app := newProgram(nil, io.Discard, io.Discard, nil).app()
	f.Fuzz(func(t *testing.T, line string) {
		in := strings.Fields("cosafs " + line)
		if strings.Contains(line, aliasPrefix) || strings.Contains(line, "-aws") || strings.Contains(line, "aws-") {
			return
		}
		count := map[string]int{}
		for _, w := range in {
			count[w]++
		}
		out, err := arrange(app, in)
		if err != nil {
			return
		}
		for _, w := range out {
			count[w]--
		}
		for w, n := range count {
			if n != 0 && w != "--" {
				t.Errorf("%q: word %q is off by %d", line, w, n)
			}
		}
	})
}

func FuzzConfigFile(f *testing.F) {
	f.Add("linger: 5s\nengine: dnf\n")
	f.Add("a: [")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := parseFile("f", []byte(text))
		for name := range file {
			if err != nil {
				t.Errorf("setting %q beside error %v", name, err)
			}
		}
	})
}
