package auth_test

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"cosafs/cmd/internal/auth"
)

const hash = "$2y$05$abcdefghijklmnopqrstuuK3nBnVpkfTYmTZ3r2tYbIUxOI9Lxe2C"

func TestHtpasswdLines(t *testing.T) {
	for _, c := range []struct {
		what, text string
		names      []string
		says       string // "" = it is good
	}{
		{"empty", "", nil, ""},
		{"comments and empty lines", "# us\n\n  \nalice:" + hash + "\n", []string{"alice"}, ""},
		{"no last newline", "alice:" + hash, []string{"alice"}, ""},
		{"of Windows", "alice:" + hash + "\r\nbob:" + hash + "\r\n", []string{"alice", "bob"}, ""},
		{"a comment behind the hash", "alice:" + hash + ":Alice of build", []string{"alice"}, ""},
		{"every letter of bcrypt", "a:" + strings.Replace(hash, "2y", "2a", 1) + "\nb:" + strings.Replace(hash, "2y", "2b", 1), []string{"a", "b"}, ""},
		{"spaces and other letters", "Jörg Maier:" + hash, []string{"Jörg Maier"}, ""},
		{"the broken letter", "a:" + strings.Replace(hash, "2y", "2x", 1), nil, "line 1"},
		{"a short hash", "a:" + hash[:59], nil, "line 1"},
		{"a long hash", "a:" + hash + "x", nil, "line 1"},
		{"a cost below 4", "a:" + strings.Replace(hash, "05", "03", 1), nil, "cost 03"},
		{"a cost that takes days", "a:" + strings.Replace(hash, "05", "31", 1), nil, "cost 31"},
		{"no colon", "alice", nil, "line 1"},
		{"no name", "\n:" + hash, nil, "line 2"},
		{"twice", "a:" + hash + "\nb:" + hash + "\na:" + hash, nil, "line 3"},
		{"a long name", strings.Repeat("x", 256) + ":" + hash, nil, "255"},
		{"a control character", "a\tb:" + hash, nil, "line 1"},
		{"Latin-1", "J\xf6rg:" + hash, nil, "UTF-8"},
		{"MD5", "a:$apr1$abc$def", nil, "line 1"},
	} {
		names, err := auth.ParseHtpasswd(c.text)
		if c.says == "" && (err != nil || !slices.Equal(names, c.names)) {
			t.Errorf("%s: %q, %v", c.what, names, err)
		}
		if c.says != "" && (!errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want one that says %q", c.what, err, c.says)
		}
	}
}

func TestTokenLines(t *testing.T) {
	good := strings.Repeat("aB", 32)
	for text, says := range map[string]string{
		"# none\n":                            "",
		"ci:" + good + "\r\nci:" + good:       "",
		"ci:" + good[:62]:                     "line 1",
		"ci:" + good + "00":                   "line 1",
		"ci:" + strings.Repeat("xy", 32):      "line 1",
		"ci:\n":                               "line 1",
		"ci:" + good + ":comment":             "line 1",
		"ci:" + good + "\n" + good:            "line 2",
		"ci:" + good + "\n:" + good:           "line 2",
		"ci:" + good + " ":                    "line 1",
		strings.Repeat("n", 255) + ":" + good: "",
	} {
		_, err := auth.ParseTokens(text)
		if (err == nil) != (says == "") || err != nil && (!errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestNewToken(t *testing.T) {
	token, entry, err := auth.NewToken("ci bot")
	if err != nil {
		t.Fatal(err)
	}
	if again, _, err := auth.NewToken("ci bot"); again == token || err != nil {
		t.Errorf("twice the same: %v", err)
	}
	if strings.Contains(entry, token) || !strings.HasPrefix(token, "cosafs_") || len(token) < 40 {
		t.Errorf("token %q, line %q", token, entry)
	}
	f := open(t, auth.Config{Tokens: file(t, entry), Grants: []string{"ci bot=builder"}})
	f.want(t, request{bearer: token}, 200, "ci bot builder 127.0.0.1")
	f.want(t, request{user: "ci bot", password: token}, 200, "ci bot builder 127.0.0.1")
	for _, bad := range []string{"", "a:b", "#a", "a\nb", "a\r", " ", "\xff", strings.Repeat("x", 256)} {
		if _, _, err := auth.NewToken(bad); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("name %q: %v", bad, err)
		}
	}
}

func FuzzHtpasswd(f *testing.F) {
	f.Add("alice:" + hash + "\n#x\n\nbob:" + hash + ":c\r\n")
	f.Add("a:$apr1$x$y\n:\n")
	f.Fuzz(func(t *testing.T, text string) {
		names, err := auth.ParseHtpasswd(text)
		checkParsed(t, text, names, err)
	})
}

func FuzzTokens(f *testing.F) {
	f.Add("ci:" + strings.Repeat("0f", 32) + "\n")
	f.Add("ci:00\n")
	f.Fuzz(func(t *testing.T, text string) {
		names, err := auth.ParseTokens(text)
		checkParsed(t, text, names, err)
	})
}

// checkParsed holds for any text: an error is fs.ErrInvalid, a name could be
// sent by a client.
func checkParsed(t *testing.T, text string, names []string, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("%q: %v", text, err)
	}
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, ":\n\x00") || !utf8.ValidString(name) || !strings.Contains(text, name+":") {
			t.Errorf("%q gives the name %q", text, name)
		}
	}
}

func FuzzNewToken(f *testing.F) {
	f.Add("ci")
	f.Add("#a:\r")
	f.Fuzz(func(t *testing.T, name string) {
		_, entry, err := auth.NewToken(name)
		if err != nil {
			return
		}
		if names, err := auth.ParseTokens(entry + "\n"); err != nil || len(names) != 1 || names[0] != name {
			t.Errorf("the line of %q gives %q, %v", name, names, err)
		}
	})
}
