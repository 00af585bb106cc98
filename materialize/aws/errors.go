package aws

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"cosafs/materialize"
)

var (
	// errTooLong means that something didn't become what it should in time.
	errTooLong = errors.New("it takes too long")
	// errState means that something is in a state that it can't leave for the wanted one.
	errState = errors.New("it can't be used")
	// errNoCredentials means that a call could not be signed.
	errNoCredentials = errors.New("no credentials")
)

// code gives the error code of an AWS answer, "" where err is none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// hints are what to do about the error codes that a person can mend, by the start
// of the code.
var hints = []struct {
	code  string
	class materialize.Class
	hint  string
}{
	{"UnauthorizedOperation", materialize.ClassConfig, "ask for the permission of the call that the message names"},
	{"AccessDenied", materialize.ClassConfig, "ask for the permissions ebs:StartSnapshot, ebs:PutSnapshotBlock and ebs:CompleteSnapshot"},
	{"AuthFailure", materialize.ClassConfig, "check the credentials (aws sts get-caller-identity) and that the region is enabled"},
	{"InvalidClientTokenId", materialize.ClassConfig, "check the credentials: aws sts get-caller-identity"},
	{"UnrecognizedClientException", materialize.ClassConfig, "check the credentials: aws sts get-caller-identity"},
	{"ExpiredToken", materialize.ClassConfig, "renew the credentials, then run it again: it goes on where it stopped"},
	{"RequestExpired", materialize.ClassConfig, "set this machine's clock, or renew the credentials"},
	{"OperationNotPermitted", materialize.ClassConfig, "the account blocks public sharing: aws ec2 get-image-block-public-access-state"},
	{"ServiceQuotaExceeded", materialize.ClassConfig, "ask for a higher quota, or delete old snapshots and images"},
	{"ResourceLimitExceeded", materialize.ClassConfig, "ask for a higher quota, or delete old snapshots and images"},
	{"SnapshotLimitExceeded", materialize.ClassConfig, "ask for a higher quota, or delete old snapshots"},
	{"Throttling", materialize.ClassNetwork, again},
	{"RequestThrottled", materialize.ClassNetwork, again},
	{"RequestLimitExceeded", materialize.ClassNetwork, again},
	{"Internal", materialize.ClassNetwork, again},
	{"Unavailable", materialize.ClassNetwork, again},
}

// again is the hint for what may well work the next time.
const again = "run the same command again: it goes on where it stopped"

// failure gives err, nil for nil, its class and hint. Who cancelled needs no hint, and
// gets the ctx's cause.
func (u *Uploader) failure(ctx context.Context, op string, err error) error {
	var known *materialize.Failure
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s of %s: %s: %w", u.op, u.c.Name, op, context.Cause(ctx))
	case errors.As(err, &known):
		return fmt.Errorf("%s of %s: %s: %w", u.op, u.c.Name, op, err)
	}
	class, hint := classify(err)
	return materialize.Fail(class, u.op+" of "+u.c.Name, hint, fmt.Errorf("%s: %w", op, err))
}

// classify gives an error's class and hint.
func classify(err error) (materialize.Class, string) {
	got := code(err)
	for _, h := range hints {
		if got != "" && strings.HasPrefix(got, h.code) {
			return h.class, h.hint
		}
	}
	if errors.Is(err, errNoCredentials) {
		return materialize.ClassConfig, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or name a file: --aws-config-file"
	}
	var call *smithy.OperationError
	if got == "" && errors.As(err, &call) || errors.Is(err, errTooLong) {
		return materialize.ClassNetwork, again // no answer at all
	}
	return materialize.ClassInternal, "see the message of AWS; --force begins anew"
}
