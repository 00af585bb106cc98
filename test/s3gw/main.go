// Command s3gw is the S3 server of the tests: versitygw over a directory. It is
// a module of its own, so that the server's dependencies are not the product's.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

// maxCopy is what one CopyObject may copy, in bytes: as S3.
const maxCopy = 5 << 30

func main() {
	var cfg embedgw.Config
	addr := flag.String("addr", "", "listen at `HOST:PORT`")
	dir := flag.String("dir", "", "keep the buckets in `DIR`")
	flag.StringVar(&cfg.RootUserAccess, "access", "", "access key `ID`")
	flag.StringVar(&cfg.RootUserSecret, "secret", "", "secret `KEY`")
	flag.StringVar(&cfg.CertFile, "cert", "", "TLS certificate `FILE`")
	flag.StringVar(&cfg.KeyFile, "key", "", "TLS key `FILE`")
	private := flag.String("private", "", "make bucket `NAME`")
	public := flag.String("public", "", "make bucket `NAME` that anybody may read")
	flag.Parse()
	cfg.Ports, cfg.KeepAlive, cfg.Quiet = []string{*addr}, true, true
	cfg.MaxConnections, cfg.MaxRequests, cfg.MultipartMaxParts = 4096, 4096, 10000

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	store, err := posix.New(*dir, meta.XattrMeta{}, posix.PosixOpts{CopyObjectThreshold: maxCopy})
	if err == nil {
		err = makeBuckets(ctx, store, cfg.RootUserAccess, *private, *public)
	}
	if err == nil {
		err = embedgw.RunVersityGW(ctx, store, &cfg)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// makeBuckets makes what a client would make by CreateBucket and
// PutBucketPolicy.
func makeBuckets(ctx context.Context, store *posix.Posix, owner, private, public string) error {
	acl := fmt.Appendf(nil, `{"Owner":%q,"Grantees":[{"Permission":"FULL_CONTROL","Access":%q,"Type":"CanonicalUser"}]}`, owner, owner)
	ctx = context.WithValue(ctx, "bucket-owner", auth.Account{Access: owner}) //nolint:staticcheck // versitygw's own key
	for _, name := range []string{private, public} {
		if _, err := os.Stat(name); err == nil { // posix.New changed into the directory
			continue // the server was here before
		}
		err := store.CreateBucket(ctx, &s3.CreateBucketInput{
			Bucket: &name, CreateBucketConfiguration: &types.CreateBucketConfiguration{},
			ObjectOwnership: types.ObjectOwnershipBucketOwnerPreferred, // ACLs work
		}, acl)
		if err != nil {
			return fmt.Errorf("make bucket %s: %w", name, err)
		}
	}
	return store.PutBucketPolicy(ctx, public, fmt.Appendf(nil,
		`{"Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::%s","arn:aws:s3:::%s/*"]}]}`, public, public))
}
