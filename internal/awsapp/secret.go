package awsapp

import (
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/sink/awssink"
)

// secretTry is how long one call to Secrets Manager may take. A connection that hangs must leave
// time for a second one within the time of a look-up.
const secretTry = 2 * time.Second

// secretError returns the error of requests whose credentials cannot be read: [deletion.ClassForbidden]
// where Secrets Manager refuses the call, which a person must change, and else
// [deletion.ClassUnavailable]. Its message names the code alone, because the text, which is its cause, names
// the role and the account.
func secretError(err error) *deletion.Error {
	e := &deletion.Error{Class: deletion.ClassUnavailable, Cause: err.Error()}
	problem, status := "Secrets Manager did not answer", 0
	if answer, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		status = answer.HTTPStatusCode()
		problem = "HTTP status " + http.StatusText(status)
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok && status > 0 && isCode(api.ErrorCode()) {
		problem = api.ErrorCode()
	}
	e.Message = "HUAWEICLOUD_SECRET_ARN: the secret cannot be read: " + problem
	switch {
	case status == http.StatusTooManyRequests, status > 0 && throttles.IsErrorThrottle(err) == aws.TrueTernary:
		e.RetryAfter = time.Minute
	case status >= 400 && status < 500 && !awssink.IsRetryable(err):
		e.Class = deletion.ClassForbidden
	}
	return e
}

// isCode reports whether a text has the form of an AWS error code, for example AccessDeniedException.
// Another text may repeat anything.
func isCode(s string) bool {
	return len(s) <= 64 && secret.Redact(s) == s && !strings.ContainsFunc(s, func(r rune) bool { return r > 'z' || !unicode.IsLetter(r) })
}

var throttles = retry.IsErrorThrottles(retry.DefaultThrottles)
