package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	smithy "github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"cosafs/backend"
)

// A purpose is what a request was for: the same status means different things.
type purpose int

const (
	reading purpose = iota
	writing
	listing
)

// answer translates what the SDK reports. The HTTP status decides: error codes
// differ between stores, and some close the connection before the code is sent.
//
// Absence alone needs the code as well, because 404 is also the answer for a
// bucket that is not there and, from some stores, for an account that they don't
// know. Whatever is no clear answer stays a mishap, [backend.Final] or not.
func answer(ctx context.Context, err error, why purpose) error {
	var none *noCredentials
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &none):
		return fmt.Errorf("no AWS credentials were found (%w): set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ask for anonymous access: %w", none.err, fs.ErrPermission)
	}
	code, text := explained(err)
	kind := sentinel(status(err), code, why)
	switch {
	case kind != nil:
		return fmt.Errorf("the store answers %d %s%s%s: %w", status(err), code, text, hint(status(err), code), kind)
	case backend.Final(err), errors.Is(err, io.ErrUnexpectedEOF):
		// A firewall's EACCES is not the store's word, and a cut connection not
		// the source's end.
		return errors.New(err.Error() + hint(status(err), code))
	}
	return fmt.Errorf("%w%s", err, hint(status(err), code))
}

// sentinel gives what an answer means, nil if that is not known. A write's 409 is
// such a case: another write was in the way, of the same object or not.
func sentinel(status int, code string, why purpose) error {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, stale(code):
		return fs.ErrPermission
	case status == http.StatusNotFound && code == "NoSuchKey" && why != listing:
		return fs.ErrNotExist
	case status == http.StatusPreconditionFailed && why == reading:
		return backend.ErrChanged
	case status == http.StatusPreconditionFailed && why == writing:
		return backend.ErrCondition
	case status == http.StatusRequestedRangeNotSatisfiable && why == reading:
		return backend.ErrRange
	}
	return nil
}

// stale says whether a code means credentials that are over. AWS sends it as
// a 400.
func stale(code string) bool {
	return code == "ExpiredToken" || code == "InvalidToken" || code == "TokenRefreshRequired"
}

// hint says what a person may do about an answer.
func hint(status int, code string) string {
	switch {
	case stale(code):
		return "; log in again, the credentials are over"
	case code == "RequestTimeTooSkewed":
		return "; set this machine's clock"
	case code == "NoSuchBucket":
		return "; check the bucket's name and the endpoint"
	case code == "XAdminUserNotFound", code == "InvalidAccessKeyId", code == "SignatureDoesNotMatch":
		return "; check the access key and its secret"
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		return "; the account may not do this, or may not know whether there is such an object"
	case status == http.StatusMovedPermanently, status == http.StatusTemporaryRedirect, code == "AuthorizationHeaderMalformed":
		return "; the bucket is in another region, name that"
	}
	return ""
}

// status gives the HTTP status of a failed request, 0 if it had no answer.
func status(err error) int {
	var res *smithyhttp.ResponseError
	if errors.As(err, &res) {
		return res.HTTPStatusCode()
	}
	return 0
}

// explained gives the store's own words, in parentheses the text.
func explained(err error) (code, text string) {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return "", ""
	}
	if api.ErrorMessage() == "" {
		return api.ErrorCode(), ""
	}
	return api.ErrorCode(), " (" + api.ErrorMessage() + ")"
}

// fail says what was done to which object when err came.
func (s *Store) fail(op string, key backend.Key, err error) error {
	return &fs.PathError{Op: op, Path: s.String() + "/" + string(key), Err: err}
}
