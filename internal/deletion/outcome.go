package deletion

import "time"

// Status is the verdict on a request.
type Status string

// The statuses of an [Outcome].
const (
	// Accepted means that DDS started the deletion; the job id is known.
	Accepted Status = "accepted"
	// Unconfirmed means that the deletion was started, but its job id is not known.
	Unconfirmed Status = "unconfirmed"
	// NotFound means that DDS does not know the backup.
	NotFound Status = "not_found"
	// Rejected means that the request will never succeed unchanged.
	Rejected Status = "rejected"
	// Simulated means that a dry run found nothing that prevents the deletion. DDS was not asked for it.
	Simulated Status = "simulated"
	// Retry means that there is no verdict: the request goes back to its source, and nothing is published.
	Retry Status = "retry"
)

// statusOf returns the status of a request that ended with an error of the class.
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

// finalForBackup reports whether the status answers every later request for the backup, and not
// only a repeat of the same request.
func finalForBackup(s Status) bool { return s == Accepted || s == Unconfirmed }

// Outcome is the result of one request.
type Outcome struct {
	// Request is the request, with the defaults of the scope filled in.
	Request Request
	// Status is the verdict.
	Status Status
	// JobID is the id of the job that deletes the backup. It is kept if the outcome could not be delivered.
	JobID string
	// Err says why the request was not accepted; nil for an accepted request.
	Err *Error
	// Event is what is published; the zero value for [Retry].
	Event Event
	// Unpublished says that the sink did not take the event.
	Unpublished bool
	// LedgerFailed says that the ledger could not be asked, or did not take the outcome.
	LedgerFailed bool
	// Replayed says that the outcome comes from the ledger and DDS was not asked.
	Replayed bool
	// Duration is how long the call to DDS took, including waits between tries.
	Duration time.Duration
}

// failed returns the outcome of a request that ended with err.
func failed(request Request, err *Error) Outcome {
	return Outcome{Request: request, Status: statusOf(err.Class), Err: err}
}

// undelivered turns o into a retry because it could not be recorded or published. It keeps the job id.
func (o *Outcome) undelivered(err error) {
	o.Status, o.Event = Retry, Event{}
	o.Err = newError(ClassUndelivered, "the outcome could not be published")
	o.Err.Cause = err.Error()
}
