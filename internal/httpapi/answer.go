package httpapi

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
)

// answerOne answers a call for one deletion.
func answerOne(outcomes []deletion.Outcome) *Response {
	o := &outcomes[0]
	switch o.Status {
	case deletion.Accepted, deletion.Unconfirmed:
		return jsonResponse(http.StatusAccepted, mediaJSON, o.Result())
	case deletion.Simulated: // nothing was started
		return jsonResponse(http.StatusOK, mediaJSON, o.Result())
	default:
		return answerError(o, nil)
	}
}

// answerError answers with the error of an outcome.
func answerError(o *deletion.Outcome, all []deletion.Data) *Response {
	response := problemResponse(problem{
		Status:       cmp.Or(statuses[o.Err.Class], http.StatusInternalServerError),
		Detail:       o.Err.Message,
		Class:        o.Err.Class,
		Code:         o.Err.Code,
		RequestID:    o.Request.ID,
		BackupID:     o.Request.BackupID,
		JobID:        o.JobID,
		DDSRequestID: o.Err.DDSRequestID,
		Replayed:     o.Replayed,
		Results:      all,
	})
	if wait := o.Err.RetryAfter; wait > 0 {
		response.Header["Retry-After"] = strconv.Itoa(int((wait + time.Second - 1) / time.Second))
	}
	return response
}

// resultsResponse returns the response with all results.
func resultsResponse(status int, outcomes []deletion.Outcome) *Response {
	response := jsonResponse(status, mediaJSON, deletion.ResultsOf(outcomes))
	response.short = func() *Response { return jsonResponse(status, mediaJSON, shortResults(outcomes)) }
	return response
}

// answerEvent answers the sender of a CloudEvent that asks for one deletion. Where the sender takes an
// event in reply, the outcome is that; it would not send a reply of another status than 200 onward.
// https://github.com/knative/specs/blob/main/specs/eventing/data-plane.md#derived-reply-events
func answerEvent(o *deletion.Outcome, takesEvent bool) *Response {
	if takesEvent && o.Status != deletion.Retry {
		return jsonResponse(http.StatusOK, mediaEvent, json.RawMessage(o.Event.JSON))
	}
	return answerOne([]deletion.Outcome{*o})
}

// answerEvents answers the sender of several CloudEvents. Success acknowledges them all, so one that
// must be tried again fails the delivery.
func answerEvents(outcomes []deletion.Outcome, takesEvents bool) *Response {
	if o := deletion.LongestRetry(outcomes); o != nil {
		response := answerError(o, deletion.ResultsOf(outcomes).Results)
		response.short = func() *Response { return answerError(o, shortResults(outcomes).Results) }
		return response
	}
	response := resultsResponse(http.StatusOK, outcomes)
	if takesEvents {
		all := make([]json.RawMessage, len(outcomes))
		for i := range outcomes {
			all[i] = outcomes[i].Event.JSON
		}
		response.Header["Content-Type"], response.body = mediaEventBatch, all
	}
	return response
}

// rejected returns a call whose only request is rejected.
func (r *request) rejected(why string) *Call {
	return &Call{Requests: body.Invalid(r.base(), why).Requests, answer: answerOne}
}
