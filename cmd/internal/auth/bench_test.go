package auth_test

import (
	"net/http/httptest"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"cosafs/cmd/internal/auth"
)

// BenchmarkLogin is what a request pays for its login. A remembered password must
// allow thousands of requests a second, as the first one allows some ten.
func BenchmarkLogin(b *testing.B) {
	f := open(b, auth.Config{
		Htpasswd: file(b, lineOf(b, "alice", "a", bcrypt.DefaultCost)),
		Tokens:   file(b, tokenLine("ci", "t")),
	})
	for name, q := range map[string]request{"password": {user: "alice", password: "a"}, "token": {bearer: "t"}} {
		b.Run(name, func(b *testing.B) {
			r := q.build(b)
			f.want(b, q, 200, "")
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					f.handler.ServeHTTP(httptest.NewRecorder(), r)
				}
			})
		})
	}
}
