package event

import (
	"net/http"

	"dds-backup-delete/internal/deletion"
)

// policy is what a caller is told of a class of error.
type policy struct {
	// status is the HTTP status.
	status int
	// name is the error name that Step Functions matches in Retry and Catch.
	name string
}

// policyOf returns the policy of a class. The names and statuses are a contract: callers match them.
func policyOf(class deletion.Class) policy {
	switch class {
	case deletion.ClassInvalid:
		return policy{http.StatusBadRequest, "DDS.Invalid"}
	case deletion.ClassNotFound:
		return policy{http.StatusNotFound, "DDS.NotFound"}
	case deletion.ClassForbidden:
		return policy{http.StatusForbidden, "DDS.Forbidden"}
	case deletion.ClassUnauthenticated: // ours towards DDS, not the caller's towards us
		return policy{http.StatusBadGateway, "DDS.Unauthenticated"}
	case deletion.ClassConflict:
		return policy{http.StatusConflict, "DDS.Conflict"}
	case deletion.ClassUnknown:
		return policy{http.StatusBadGateway, "DDS.Unknown"}
	case deletion.ClassThrottled:
		return policy{http.StatusTooManyRequests, "DDS.Throttled"}
	case deletion.ClassUnavailable:
		return policy{http.StatusServiceUnavailable, "DDS.Unavailable"}
	case deletion.ClassUndelivered:
		return policy{http.StatusServiceUnavailable, "DDS.Undelivered"}
	default:
		return policy{http.StatusInternalServerError, "DDS.Internal"}
	}
}
