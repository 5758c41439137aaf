package event

import (
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

// errorName returns the name that Step Functions matches in Retry and Catch. It is a contract.
func errorName(class deletion.Class) string {
	switch class {
	case deletion.ClassInvalid:
		return "DDS.Invalid"
	case deletion.ClassNotFound:
		return "DDS.NotFound"
	case deletion.ClassForbidden:
		return "DDS.Forbidden"
	case deletion.ClassUnauthenticated:
		return "DDS.Unauthenticated"
	case deletion.ClassConflict:
		return "DDS.Conflict"
	case deletion.ClassUnknown:
		return "DDS.Unknown"
	case deletion.ClassThrottled:
		return "DDS.Throttled"
	case deletion.ClassUnavailable:
		return "DDS.Unavailable"
	case deletion.ClassUndelivered:
		return "DDS.Undelivered"
	default:
		return "DDS.Internal"
	}
}

// unreadable returns the error of a payload that cannot be read at all.
func unreadable(message string) *FunctionError {
	return &FunctionError{Type: errorName(deletion.ClassInvalid), Message: message}
}

// failed returns the error of an invocation for that of a request.
func failed(o *deletion.Outcome) *FunctionError {
	message := o.Err.Error()
	if o.JobID != "" {
		message += "; job_id " + o.JobID
	}
	return &FunctionError{Type: errorName(o.Err.Class), Message: message}
}

// failure returns the error of an invocation of which something must be tried again; nil of another.
func failure(outcomes []deletion.Outcome) error {
	if o := deletion.LongestRetry(outcomes); o != nil {
		return failed(o)
	}
	return nil
}

// Panicked returns the error of an invocation that met a bug of this program.
func Panicked() *FunctionError {
	return &FunctionError{Type: errorName(deletion.ClassInternal), Message: "the function panicked"}
}

// Misconfigured returns the error of an invocation whose outcomes would reach nobody, so that
// nothing is worked.
func Misconfigured() *FunctionError {
	return &FunctionError{Type: errorName(deletion.ClassUndelivered), Message: "OUTCOME_SINK is the source of the requests, so nobody would get their outcomes"}
}

// replyResult answers a source that can only deliver the whole payload again: with an error
// where that helps, else with the result, which a destination of the function may want. What
// was done before is not done again.
func replyResult(_ *Batch, outcomes []deletion.Outcome) ([]byte, error) {
	if err := failure(outcomes); err != nil {
		return nil, err
	}
	if len(outcomes) == 1 {
		return json.Marshal(outcomes[0].Data())
	}
	return json.Marshal(deletion.ResultsOf(outcomes))
}
