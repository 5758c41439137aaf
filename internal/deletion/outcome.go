package deletion

import (
	"cmp"
	"errors"
	"time"

	"dds-backup-delete/internal/dds"
)

// Status is what became of a request.
type Status string

// The statuses of an [Outcome].
const (
	// Accepted means that DDS took the deletion; the job id is known.
	Accepted Status = "accepted"
	// Unconfirmed means that the deletion was started, but its job is not known.
	Unconfirmed Status = "unconfirmed"
	// NotFound means that DDS knows no such backup.
	NotFound Status = "not_found"
	// Rejected means that the request will never succeed unchanged.
	Rejected Status = "rejected"
	// Simulated means that a dry run found nothing against the deletion. DDS was not asked for it.
	Simulated Status = "simulated"
	// Retry is no verdict: the request goes back to its source. Nothing is published.
	Retry Status = "retry"
)

// Class says why a request ended otherwise than accepted. The class alone decides what the
// source is told.
type Class = dds.Class

// The classes of an [Error]: those of DDS, and two of our own.
const (
	ClassInvalid         = dds.Invalid
	ClassNotFound        = dds.NotFound
	ClassForbidden       = dds.Forbidden
	ClassUnauthenticated = dds.Unauthenticated
	ClassConflict        = dds.Conflict
	ClassThrottled       = dds.Throttled
	ClassUnknown         = dds.Unknown
	ClassUnavailable     = dds.Unavailable
	// ClassUndelivered means that DDS answered, but the outcome could not be handed on.
	ClassUndelivered Class = "undelivered"
	// ClassInternal means a bug of this program.
	ClassInternal Class = "internal"
)

// Error is why a request ended otherwise than accepted.
type Error struct {
	// Class decides what happens next.
	Class Class
	// Code is DDS's own code, as DBS.201214; empty where DDS gave none.
	Code string
	// Message is for a person.
	Message string
	// Cause is more about it, for the log alone: it may name what a caller is not to know.
	Cause string
	// HTTPStatus is that of DDS's answer; 0 where there was none.
	HTTPStatus int
	// DDSRequestID is DDS's own id of the call; empty where there was none.
	DDSRequestID string
	// RetryAfter is how long to wait before the next try; 0 for a request that is not tried again.
	RetryAfter time.Duration
}

// Error implements error.
func (e *Error) Error() string {
	if e.Code == "" {
		return e.Message
	}
	return e.Code + ": " + e.Message
}

// newError returns an error of ours, with the wait of its class.
func newError(class Class, message string) *Error {
	return &Error{Class: class, Message: message, RetryAfter: retryAfter(class)}
}

// Outcome is what became of one request.
type Outcome struct {
	// Request is the request, its project filled in.
	Request Request
	// Status is the verdict.
	Status Status
	// JobID is the id of the job that deletes the backup; also kept where the outcome could not be delivered.
	JobID string
	// Err says why; nil for an accepted request.
	Err *Error
	// Event is what was, or is to be, published; the zero value for [Retry].
	Event Event
	// Unpublished says that the sink did not take the event, LedgerFailed that the ledger could not
	// be asked, or did not take the outcome.
	Unpublished, LedgerFailed bool
	// Replayed says that the ledger knew the outcome, and DDS was not asked.
	Replayed bool
	// Took is how long DDS was asked, waits between tries included.
	Took time.Duration
}

// explain turns the error of a deleter into ours.
func explain(err error) *Error {
	var d *dds.Error
	if !errors.As(err, &d) {
		return newError(ClassInternal, err.Error())
	}
	e := &Error{
		Class:        d.Class,
		Code:         d.Code,
		Message:      d.Message,
		HTTPStatus:   d.StatusCode,
		DDSRequestID: d.RequestID,
		RetryAfter:   cmp.Or(d.RetryAfter, retryAfter(d.Class)),
	}
	if d.Err != nil {
		e.Message += ": " + d.Err.Error()
	}
	if e.Message == "" {
		e.Message = string(d.Class)
	}
	return e
}

// statusOf is the verdict that a class of error stands for.
func statusOf(c Class) Status {
	switch c {
	case ClassInvalid:
		return Rejected
	case ClassNotFound:
		return NotFound
	default:
		return Retry
	}
}

// retryAfter is how long a request of a class had better wait before its next try.
func retryAfter(c Class) time.Duration {
	switch c {
	case ClassForbidden: // until a person has mended the rights
		return time.Hour
	case ClassUnauthenticated, ClassConflict, ClassUnknown: // a locked key is free, and a restore perhaps done, after that
		return 5 * time.Minute
	case ClassUnavailable, ClassUndelivered:
		return 15 * time.Second
	case ClassInvalid, ClassNotFound:
		return 0
	default:
		return time.Minute
	}
}
