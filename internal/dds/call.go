package dds

import (
	"net/http"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

// Credentials are what a call is authenticated with: a Huawei Cloud access key pair or, where
// there is none, an IAM token. Printed under any verb, and in slog, they show as REDACTED.
//
// https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-0001.html
type Credentials struct {
	// AccessKey is the access key id (AK).
	AccessKey secret.String
	// SecretKey is the secret access key (SK).
	SecretKey secret.String
	// SecurityToken belongs to a temporary pair; empty for a permanent one.
	SecurityToken secret.String
	// Token is an IAM token, used where there is no pair. It lives 24 hours.
	Token secret.String
}

// handler is one link of the chain that a call passes.
type handler func(*call) (*response, error)

// call is a request on its way through the chain.
type call struct {
	*http.Request
	bodySHA256  string // in hexadecimal digits
	credentials Credentials
	signedAt    time.Time // the time in the signature of the last try; zero if it had none
	maybeSent   bool      // a try may have done its work although no answer confirmed it
	last        facts
}

// facts are what the handlers of the chain need to know about the last try.
type facts struct {
	sent  bool      // it was given to the transport
	stale bool      // a kept-alive connection turned out to be dead
	date  time.Time // of the answer, by the server's clock; zero if there was none
	limit rateLimit // that a throttled answer reported; zero if there was none
}

// response is a complete answer.
type response struct {
	status int
	header http.Header
	body   []byte
}

// rateLimit is a limit that a throttled answer reported: calls in a window of time.
type rateLimit struct {
	calls  int // 0 if the answer reported no limit
	window time.Duration
}

// unavailable returns an error without a verdict. The text of its cause is made [printable],
// because a proxy or the source of the credentials may repeat what was sent to it.
func unavailable(message string, cause error) *deletion.Error {
	return &deletion.Error{Class: deletion.ClassUnavailable, Message: message + ": " + printable(cause.Error())}
}

// invalid returns the error of a call that cannot be sent.
func invalid(message string) *deletion.Error {
	return &deletion.Error{Class: deletion.ClassInvalid, Message: printable(message)}
}
