package deletion

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// Class is the kind of an [Error]. It alone decides what happens next; the HTTP status does not,
// because DDS answers 153 of its 179 error codes with 400.
type Class string

// The classes of an [Error].
const (
	// ClassInvalid means that the request will never succeed unchanged.
	ClassInvalid Class = "invalid"
	// ClassNotFound means that the backup does not exist: it was deleted before, or never was in
	// this project and region.
	ClassNotFound Class = "not_found"
	// ClassForbidden means a missing permission, a suspended account or a wrong configuration. A
	// person must fix it.
	ClassForbidden Class = "forbidden"
	// ClassUnauthenticated means that the credentials were refused. Retrying at once locks the key.
	ClassUnauthenticated Class = "unauthenticated"
	// ClassConflict means that the backup or its instance is busy with a restore or another operation.
	ClassConflict Class = "conflict"
	// ClassThrottled means too many calls.
	ClassThrottled Class = "throttled"
	// ClassUnknown means an error code that no table explains. It is never final.
	ClassUnknown Class = "unknown"
	// ClassUnavailable means that there is no verdict: a network error, a 5xx, no time left.
	ClassUnavailable Class = "unavailable"
	// ClassUndelivered means that DDS answered, but the outcome was not recorded or published.
	ClassUndelivered Class = "undelivered"
	// ClassInternal means a bug in this program.
	ClassInternal Class = "internal"
)

// Error says why a request was not accepted. It is the only error type of the DDS client and of
// outcomes, and its JSON is the error member of the published events.
type Error struct {
	// Class decides what happens next.
	Class Class `json:"class"`
	// Code is the code of DDS or its gateway, for example DBS.201214; empty if there was none.
	Code string `json:"code,omitempty"`
	// Rule is the rule of this program that refused the request, for example expired; empty if none did.
	Rule string `json:"rule,omitempty"`
	// Message is for people. It never contains a secret.
	Message string `json:"message"`
	// HTTPStatus is the status of the answer; 0 if there was no answer.
	HTTPStatus int `json:"http_status,omitempty"`
	// DDSRequestID is the id that DDS gave the call; empty if there was none.
	DDSRequestID string `json:"dds_request_id,omitempty"`
	// RetryAfter is how long to wait before the next try; 0 if nothing is known. In JSON it is
	// retry_after, in seconds.
	RetryAfter time.Duration `json:"-"`
	// MaybeSent says that the deletion may have started although no answer confirmed it.
	MaybeSent bool `json:"-"`
	// NoTurn says that a call of a tick was not made, because the tick's part of the rate is used up.
	NoTurn bool `json:"-"`
	// Cause has details for the log only: it may name what a caller must not learn.
	Cause string `json:"-"`
}

// Error implements error.
func (e *Error) Error() string {
	if e.Code == "" {
		return e.Message
	}
	return e.Code + ": " + e.Message
}

// MarshalJSON implements [json.Marshaler]. It adds RetryAfter in whole seconds, rounded up.
func (e Error) MarshalJSON() ([]byte, error) {
	type members Error // has no MarshalJSON
	return json.Marshal(struct {
		members

		Seconds int64 `json:"retry_after,omitempty"`
	}{members(e), int64(math.Ceil(e.RetryAfter.Seconds()))})
}

// newError returns an error with the default wait of its class.
func newError(class Class, message string) *Error {
	return &Error{Class: class, Message: message, RetryAfter: retryAfter(class)}
}

// invalid returns the error of a request that will never succeed unchanged.
func invalid(format string, args ...any) *Error {
	return &Error{Class: ClassInvalid, Message: fmt.Sprintf(format, args...)}
}

// explain returns a copy of the [*Error] in err, completed with the default wait and message of
// its class. Any other error is a bug.
func explain(err error) *Error {
	var original *Error
	if !errors.As(err, &original) {
		return newError(ClassInternal, err.Error())
	}
	e := *original
	e.RetryAfter = cmp.Or(e.RetryAfter, retryAfter(e.Class))
	e.Message = cmp.Or(e.Message, string(e.Class))
	return &e
}

// maxBackoff is what a wait grows to, unless the error asks for more.
const maxBackoff = time.Hour

// Backoff returns how long a request waits before its next try: what its error asks for, doubled with each try up to an
// hour. The first try is number 1.
func Backoff(wait time.Duration, try int) time.Duration {
	most := max(wait, maxBackoff)
	for range min(try, 20) - 1 {
		wait = min(2*wait, most)
	}
	return wait
}

// retryAfter returns how long a request waits by default before its next try. A busy lease makes it wait
// for that lease instead, and a queue of SQS doubles the wait with each receive.
func retryAfter(c Class) time.Duration {
	switch c {
	case ClassForbidden: // until a person has fixed the permissions
		return time.Hour
	case ClassUnauthenticated, ClassConflict, ClassUnknown: // a locked key is free again then, and a restore may be done
		return 5 * time.Minute
	case ClassUnavailable, ClassUndelivered:
		return 15 * time.Second
	case ClassInvalid, ClassNotFound:
		return 0
	default:
		return time.Minute
	}
}
