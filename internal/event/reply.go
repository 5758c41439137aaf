package event

import (
	"cmp"
	"encoding/json"

	"dds-backup-delete/internal/deletion"
)

// FunctionError is a failed invocation, as a caller such as Step Functions sees it.
type FunctionError struct {
	// Type is the stable error name, for example DDS.NotFound.
	Type string
	// Message is for a person.
	Message string
}

// Error implements error.
func (e *FunctionError) Error() string { return e.Message }

// errorNames are what Step Functions matches in Retry and Catch. They are a contract.
var errorNames = map[deletion.Class]string{
	deletion.ClassInvalid:         "DDS.Invalid",
	deletion.ClassNotFound:        "DDS.NotFound",
	deletion.ClassForbidden:       "DDS.Forbidden",
	deletion.ClassUnauthenticated: "DDS.Unauthenticated",
	deletion.ClassConflict:        "DDS.Conflict",
	deletion.ClassUnknown:         "DDS.Unknown",
	deletion.ClassThrottled:       "DDS.Throttled",
	deletion.ClassUnavailable:     "DDS.Unavailable",
	deletion.ClassUndelivered:     "DDS.Undelivered",
	deletion.ClassInternal:        "DDS.Internal",
}

// newError returns the error of an invocation for an error of a class. The zero class is a bug.
func newError(class deletion.Class, message string) *FunctionError {
	return &FunctionError{Type: cmp.Or(errorNames[class], errorNames[deletion.ClassInternal]), Message: message}
}

// failed returns the error of an invocation for that of a request.
func failed(o *deletion.Outcome) *FunctionError {
	message := o.Err.Error()
	if o.JobID != "" {
		message += "; job_id " + o.JobID
	}
	return newError(o.Err.Class, message)
}

// Panicked returns the error of an invocation that met a bug of this program.
func Panicked() *FunctionError {
	return newError(deletion.ClassInternal, "the function panicked")
}

// Misconfigured returns the error of an invocation whose outcomes would be read by this function alone, so
// nothing is worked.
func Misconfigured() *FunctionError {
	return newError(deletion.ClassUndelivered, "OUTCOME_SINK is the source of the requests, so nobody would get their outcomes")
}

// replyWhole answers a source that can only take back the whole batch: with an error where another
// delivery helps, else with a result that nobody reads. What was done before is not done again.
func replyWhole(result string) func(*Batch, []deletion.Outcome) ([]byte, error) {
	return func(_ *Batch, outcomes []deletion.Outcome) ([]byte, error) {
		if o := deletion.LongestRetry(outcomes); o != nil {
			return nil, failed(o)
		}
		return []byte(result), nil
	}
}

// replyResult is [replyWhole] with the outcomes, which a destination of the function may want.
func replyResult(_ *Batch, outcomes []deletion.Outcome) ([]byte, error) {
	if o := deletion.LongestRetry(outcomes); o != nil {
		return nil, failed(o)
	}
	if len(outcomes) == 1 {
		return json.Marshal(outcomes[0].Result())
	}
	return json.Marshal(deletion.ResultsOf(outcomes))
}
