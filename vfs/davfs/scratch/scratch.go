// Package scratch is the one place of cosafs that clients may write to: a
// WebDAV collection of class 1 and 2 (RFC 4918) over a plain directory.
//
// golang.org/x/net/webdav is its core: it knows the methods, walks, copies and
// writes multistatus. Around it stands a session, one for each request, which is
// the file system and the lock system that x/net/webdav sees. So both know who
// asks for what, and nothing of a change is seen before all of it is there: new
// files grow in the hidden directory .cosafs of the same file system, are synced,
// and get their names by one rename when x/net/webdav has said that all went
// well. A client that goes away, a full disk or a kill -9 leave the old file; the
// next start empties .cosafs.
//
// # What is cured
//
// litmus passes all of its 104 tests (TestLitmus); x/net/webdav alone passes 73.
// Each fault, how it is met, and the test that shows it:
//
//	of x/net/webdav                            here                                       test
//	a PUT writes into the old file             grows aside, length checked, renamed       TestCutPutLeavesTheOldFile, TestKillAtAnyInstant
//	COPY and MOVE first delete what is there   it goes when its successor is whole        TestFailedCopyKeepsWhatItWouldReplace
//	into itself: endless; onto a parent: gone  403                                        TestNothingIsLost
//	MOVE without Overwrite means F             T                                          TestMoveReplaces
//	GET: each error is 404; others 404, 405    one table of statuses, with the reason     TestPutIsRefused
//	PUT takes a part for the whole             400 for Content-Range                      TestPutIsRefused
//	If-Match, If-None-Match on PUT ignored     looked at under the request's lease        TestPutIsRefused
//	no limits                                  413, 507, before the body if it has a size TestLimits, TestRefusedBeforeTheBody
//	links are followed                         nothing but files and directories is seen  TestLinksAreNotFollowed
//	a prefix /a serves /ab too                 names are parsed, once, strictly           TestNamesThatAreNone, FuzzParseName
//	no dead properties on disk                 one extended attribute of the file         TestPropertiesGoWithFiles
//	COPY forgets those of collections          copied                                     TestPropertiesGoWithFiles
//	xmlns:x="" is taken                        400                                        TestBadXML
//	<x><x/></x> is stored as broken XML        400                                        TestBadXML, FuzzBodies
//	Depth: infinity walks everything           403 propfind-finite-depth                  TestDepth
//	shared locks: 501                          granted                                    TestSharedLocks
//	Not and entity tags in If are ignored      the whole header is evaluated              TestConditions
//	any listed token opens every name          each lock in the way must be shown         TestLocksReach
//	locks below a deleted collection, and      count                                      TestLocksReach
//	Depth: 0 ones on the one above, ignored
//	tokens are numbers, anybody may use them   random UUIDs, of use to their maker        TestLockIsItsMakers
//	no lockdiscovery; no end without Timeout   shown; an hour, at most a day              TestLocksAreShown, TestLocksExpire
//	locks outlive what they are on             end with it                                TestLocksEndWithWhatTheyAreOn
//	ETags by the kernel's slow clock           each version has its own                   TestEveryVersionHasItsTag
//	types are sniffed                          by name, sandboxed, nosniff                TestPutAndGet
//	GET of a collection: 405                   a page or lines                            TestListing
//	unknown methods: 400                       405 and Allow                              TestOptions
//
// # What it does not do
//
// Locks are in memory: a restart forgets them (RFC 4918 section 6.6). Properties
// need a file system with user attributes, and ext4 keeps about 4 KiB of them for
// a file; beyond that PROPPATCH answers 507. Two requests that write to one name
// at once don't wait for one another: the second is told 423. Files that somebody
// else puts into the directory are served, and counted from the next start on.
package scratch

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"

	"cosafs/vfs/access"

	"golang.org/x/net/webdav"
)

// A Config says where a collection keeps its files, and how much it takes.
type Config struct {
	Dir      string       // an absolute path of a directory that exists
	Prefix   string       // the URL path of the collection, without a slash at its end: "/upload"
	MaxBytes int64        // of one file; 0 = 1 GiB
	Quota    int64        // of all files; 0 = 10 GiB
	Logger   *slog.Logger // nil discards
}

const (
	defaultMaxBytes = 1 << 30
	defaultQuota    = 10 << 30
)

// A Collection serves a directory as a writable WebDAV collection, class 1 and 2
// (RFC 4918). It is an [http.Handler], safe for concurrent use.
type Collection struct {
	prefix string
	log    *slog.Logger
	tree   *tree
	locks  *locks
}

// New opens the collection of a directory, and removes what uploads that were
// cut off by a kill have left there. The directory belongs to one collection at
// a time: for another one it is [fs.ErrExist], until [Collection.Close].
func New(cfg Config) (*Collection, error) {
	if !filepath.IsAbs(cfg.Dir) {
		return nil, fmt.Errorf("upload directory %q is no absolute path: %w", cfg.Dir, fs.ErrInvalid)
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = defaultMaxBytes
	}
	if cfg.Quota == 0 {
		cfg.Quota = defaultQuota
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	t, err := openTree(cfg)
	if err != nil {
		return nil, fmt.Errorf("upload directory %s: %w", cfg.Dir, err)
	}
	return &Collection{prefix: cfg.Prefix, log: cfg.Logger, tree: t, locks: newLocks()}, nil
}

// Close lets another collection have the directory. Call it when all requests
// are answered.
func (c *Collection) Close() error { return c.tree.close() }

var _ http.Handler = (*Collection)(nil)

// ServeHTTP answers one request. Who asks stands in the request's ctx
// ([access.Of]): reading takes a reader, everything else a builder.
func (c *Collection) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	// Its own copy of the request is changed where x/net/webdav takes a header
	// otherwise than it is meant.
	s := &session{c: c, r: r.Clone(ctx), answer: answer{ResponseWriter: w}, caller: access.Of(ctx)}
	defer s.release()
	if err := s.admit(); err != nil {
		s.fail(err)
	} else {
		s.serve()
	}
	s.conclude(ctx)
}

// methods says which role each method takes.
func methods() map[string]access.Role {
	return map[string]access.Role{
		http.MethodOptions: access.Reader, http.MethodGet: access.Reader, http.MethodHead: access.Reader, "PROPFIND": access.Reader,
		http.MethodPut: access.Builder, http.MethodDelete: access.Builder, "MKCOL": access.Builder, "COPY": access.Builder,
		"MOVE": access.Builder, "PROPPATCH": access.Builder, "LOCK": access.Builder, "UNLOCK": access.Builder,
	}
}

// serve answers a request that was let in. What x/net/webdav does well is left
// to it; what it does for a whole change is kept in the session until it may be seen.
func (s *session) serve() {
	switch s.r.Method {
	case http.MethodGet, http.MethodHead:
		s.fail(s.get())
	case http.MethodOptions:
		s.options()
	case "LOCK":
		s.fail(s.lock())
	default:
		h := webdav.Handler{Prefix: s.c.prefix, FileSystem: files{s}, LockSystem: leases{s}}
		h.ServeHTTP(&s.answer, s.r)
	}
}

// conclude makes the change of a request that went well, forgets that of one
// that did not, and says which of both it was.
func (s *session) conclude(ctx context.Context) {
	if status := s.answer.status; status >= http.StatusBadRequest {
		s.fail(refuse(status, http.StatusText(status)))
	}
	if s.failure == nil {
		s.fail(s.commit())
	}
	s.abandon(ctx)
	if s.failure != nil {
		s.answer.refuse(s.failure)
	} else {
		s.answer.send(s.replaced)
	}
	s.audit(ctx)
	if s.answer.failed {
		// Half a listing must not pass for the whole.
		panic(http.ErrAbortHandler)
	}
}
