package httpapi

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"dds-backup-delete/internal/deletion"
)

// answerOne answers a call for one deletion.
func answerOne(outcomes []deletion.Outcome) *Response {
	o := &outcomes[0]
	switch o.Status {
	case deletion.Accepted, deletion.Unconfirmed:
		return jsonResponse(http.StatusAccepted, mediaJSON, o.Data())
	case deletion.Simulated: // nothing was started
		return jsonResponse(http.StatusOK, mediaJSON, o.Data())
	default:
		return answerError(o, nil)
	}
}

// answerError answers with the error of an outcome.
func answerError(o *deletion.Outcome, all []deletion.Data) *Response {
	response := problemResponse(problem{
		Status:       statusOf(o.Err.Class),
		Detail:       o.Err.Message,
		Class:        o.Err.Class,
		Code:         o.Err.Code,
		RequestID:    o.Request.ID,
		BackupID:     o.Request.BackupID,
		JobID:        o.JobID,
		DDSRequestID: o.Err.DDSRequestID,
		Results:      all,
	})
	if wait := o.Err.RetryAfter; wait > 0 {
		response.Header["Retry-After"] = strconv.Itoa(int((wait + time.Second - 1) / time.Second))
	}
	return response
}

// answerList answers a list with a result for each of its requests, even if that is an error.
func answerList(outcomes []deletion.Outcome) *Response {
	return resultsResponse(http.StatusMultiStatus, outcomes)
}

// resultsResponse returns the response with all results.
func resultsResponse(status int, outcomes []deletion.Outcome) *Response {
	response := jsonResponse(status, mediaJSON, deletion.ResultsOf(outcomes))
	response.short = func() *Response { return jsonResponse(status, mediaJSON, shortResults(outcomes)) }
	return response
}

// answerEvents answers the sender of CloudEvents. Success acknowledges them all, so one that must be
// tried again fails the delivery. Where the sender takes events in reply, the outcomes are those; it
// would not send a reply of another status than 200 onward.
// https://github.com/knative/specs/blob/main/specs/eventing/data-plane.md#derived-reply-events
func (r *request) answerEvents(outcomes []deletion.Outcome, several bool) *Response {
	if o := deletion.LongestRetry(outcomes); o != nil && several {
		response := answerError(o, deletion.ResultsOf(outcomes).Results)
		response.short = func() *Response { return answerError(o, shortResults(outcomes).Results) }
		return response
	}
	switch o := outcomes; {
	case !several && o[0].Status != deletion.Retry && (r.accepts(mediaEvent) || r.prefersReply()):
		return jsonResponse(http.StatusOK, mediaEvent, json.RawMessage(o[0].Event.JSON))
	case !several:
		return answerOne(o)
	case r.accepts(mediaEventBatch):
		all := make([]json.RawMessage, len(o))
		for i := range o {
			all[i] = o[i].Event.JSON
		}
		response := jsonResponse(http.StatusOK, mediaEventBatch, all)
		response.short = func() *Response { return jsonResponse(http.StatusOK, mediaJSON, shortResults(o)) }
		return response
	default:
		return resultsResponse(http.StatusOK, o)
	}
}

// accepts reports whether the caller names a media type among those it takes.
func (r *request) accepts(media string) bool {
	for part := range strings.SplitSeq(r.header("Accept"), ",") {
		got, parameters, err := mime.ParseMediaType(part)
		if err != nil || got != media {
			continue
		}
		if quality, err := strconv.ParseFloat(parameters["q"], 64); err != nil || quality > 0 {
			return true
		}
	}
	return false
}

// prefersReply reports whether the caller asks for events in reply.
func (r *request) prefersReply() bool {
	for part := range strings.SplitSeq(r.header("Prefer"), ",") {
		if name, _, _ := strings.Cut(part, ";"); strings.EqualFold(strings.TrimSpace(name), "reply") {
			return true
		}
	}
	return false
}
