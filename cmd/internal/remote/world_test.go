package remote_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"cosafs/cmd/internal/remote"
	"cosafs/materialize"
	"cosafs/test/logbuf"
	"cosafs/vfs"
	"cosafs/vfs/webui"
)

// A world is a server with doors of the test's.
type world struct {
	*testing.T
	cfg   remote.Config
	doors remote.Doors
	log   *logbuf.Buffer
	tune  func(*remote.Server)                                         // before it serves; may be nil
	open  func(context.Context, remote.Config) (*remote.Server, error) // nil = with the test's doors

	server *remote.Server
	url    string
	stop   context.CancelFunc
	ended  chan struct{} // closed when Serve has returned
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, log: &logbuf.Buffer{}}
	w.cfg = remote.Config{Version: "1.2", Service: &service{}}
	w.cfg.Addr = "127.0.0.1:0"
	w.cfg.Logger = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.doors = remote.Doors{
		Files: says("files"), API: says("api"), Page: says("page"), Root: root{},
		Waiting: func() int { return 0 },
	}
	return w
}

// listen opens the door without serving.
func (w *world) listen() (*remote.Server, error) {
	if w.open != nil {
		return w.open(w.Context(), w.cfg)
	}
	return remote.ListenWith(w.Context(), w.cfg, w.doors)
}

// start serves until the test ends.
func (w *world) start() *world {
	w.Helper()
	s, err := w.listen()
	if err != nil {
		w.Fatal(err)
	}
	w.server, w.url = s, s.URLs()[0]
	if w.tune != nil {
		w.tune(s)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	w.stop, w.ended = cancel, make(chan struct{})
	go func() {
		defer close(w.ended)
		if err := s.Serve(ctx); err != nil {
			w.Errorf("Serve = %v", err)
		}
	}()
	w.Cleanup(func() {
		cancel()
		<-w.ended
	})
	return w
}

// addr is the address that the server listens at.
func (w *world) addr() string {
	_, addr, _ := strings.Cut(w.url, "://")
	return addr
}

// dial gives a connection.
func (w *world) dial() net.Conn {
	w.Helper()
	var d net.Dialer
	conn, err := d.DialContext(w.Context(), "tcp", w.addr())
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = conn.Close() })
	return conn
}

// request makes one.
func (w *world) request(method, path string, body io.Reader) *http.Request {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, w.url+path, body)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// An answer is what was said before the body.
type answer struct {
	StatusCode int
	Status     string
	Header     http.Header
}

// do sends a request on a connection of its own, and gives the whole answer.
func (w *world) do(r *http.Request) (answer, string) {
	w.Helper()
	r.Close = true
	return w.doBy(http.DefaultTransport, r)
}

func (w *world) doBy(by http.RoundTripper, r *http.Request) (answer, string) {
	w.Helper()
	resp, err := by.RoundTrip(r)
	if err != nil {
		w.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return answer{resp.StatusCode, resp.Status, resp.Header}, string(body)
}

// get wants an answer of a status.
func (w *world) get(path string, status int) string {
	w.Helper()
	resp, body := w.do(w.request(http.MethodGet, path, nil))
	if resp.StatusCode != status {
		w.Errorf("GET %s = %s %q, want %d", path, resp.Status, body, status)
	}
	return body
}

// write makes a file of the test's.
func (w *world) write(name, text string) string {
	w.Helper()
	path := filepath.Join(w.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	return path
}

// users makes an htpasswd file of names whose passwords are "secret".
func (w *world) users(names ...string) string {
	w.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		w.Fatal(err)
	}
	text := ""
	for _, name := range names {
		text += name + ":" + string(hash) + "\n"
	}
	return w.write("users", text)
}

// hinted wants an error of a kind that says what to do.
func (w *world) hinted(err, want error, words ...string) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Errorf("got %v, want %v", err, want)
	}
	_, hint := materialize.ClassOf(err)
	for _, word := range words {
		if !strings.Contains(hint, word) {
			w.Errorf("hint %q does not name %s", hint, word)
		}
	}
}

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// service is one without builds.
type service struct {
	webui.Service
	status webui.Status
	jobs   []materialize.JobInfo
	err    error
}

func (s *service) Status(context.Context) (webui.Status, error) { return s.status, s.err }

func (s *service) Jobs(context.Context) ([]materialize.JobInfo, error) { return s.jobs, s.err }

// root is a tree with two builds.
type root struct{ vfs.Dir }

func (root) Entries(context.Context) ([]vfs.Dirent, error) {
	list := []vfs.Dirent{{Name: "latest", Mode: fs.ModeSymlink}, {Name: "builds.json"}}
	for _, dir := range []string{".cosafs", "41.1", "41.2", "next"} {
		list = append(list, vfs.Dirent{Name: dir, Mode: fs.ModeDir})
	}
	return list, nil
}
