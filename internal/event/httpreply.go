package event

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"dds-backup-delete/internal/deletion"
)

// httpReply is an HTTP response before it takes the form of its source.
type httpReply struct {
	status int
	header map[string]string
	body   any
}

// problem is an error in the form of RFC 9457, with members of ours. The type is left out,
// which stands for "about:blank": the status says it all.
type problem struct {
	Title        string          `json:"title"`
	Status       int             `json:"status"`
	Detail       string          `json:"detail"`
	Class        deletion.Class  `json:"class,omitempty"`
	Code         string          `json:"code,omitempty"`
	RequestID    string          `json:"request_id,omitempty"`
	BackupID     string          `json:"backup_id,omitempty"`
	JobID        string          `json:"job_id,omitempty"`
	DDSRequestID string          `json:"dds_request_id,omitempty"`
	Results      []deletion.Data `json:"results,omitempty"`
}

// failure returns the reply to a call that asks for nothing.
func (r *httpRequest) failure(status int, detail string) *httpReply {
	return problemReply(problem{Status: status, Detail: detail, RequestID: r.id})
}

// problemReply returns the reply that tells a problem.
func problemReply(p problem) *httpReply {
	p.Title = http.StatusText(p.Status)
	return jsonReply(p.Status, mediaProblem, p)
}

func jsonReply(status int, media string, body any) *httpReply {
	return &httpReply{status: status, header: map[string]string{"Content-Type": media}, body: body}
}

// answerOne answers a call for one deletion.
func answerOne(outcomes []deletion.Outcome) *httpReply {
	o := &outcomes[0]
	switch o.Status {
	case deletion.Accepted, deletion.Unconfirmed:
		return jsonReply(http.StatusAccepted, mediaJSON, o.Data())
	case deletion.Simulated: // nothing was started
		return jsonReply(http.StatusOK, mediaJSON, o.Data())
	default:
		return answerError(o, nil)
	}
}

// answerError answers with the error of an outcome.
func answerError(o *deletion.Outcome, all []deletion.Data) *httpReply {
	reply := problemReply(problem{
		Status:       policyOf(o.Err.Class).status,
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
		reply.header["Retry-After"] = strconv.Itoa(int((wait + time.Second - 1) / time.Second))
	}
	return reply
}

// answerList answers a list with a result for each of its requests, whatever became of them.
func answerList(outcomes []deletion.Outcome) *httpReply {
	return jsonReply(http.StatusMultiStatus, mediaJSON, resultsOf(outcomes))
}

// answerEvents answers whoever delivered CloudEvents: success takes them all as delivered, so
// one that must be tried again fails the delivery. Where the sender takes events back, the
// outcomes are those; a reply of another status than 200 would not be sent onward.
// https://github.com/knative/specs/blob/main/specs/eventing/data-plane.md#derived-reply-events
func (r *httpRequest) answerEvents(outcomes []deletion.Outcome, several bool) *httpReply {
	if o := longest(outcomes); o != nil && several {
		return answerError(o, resultsOf(outcomes).Results)
	}
	switch o := outcomes; {
	case !several && o[0].Status != deletion.Retry && (r.accepts(mediaEvent) || prefersReply(r.headers["prefer"])):
		return jsonReply(http.StatusOK, mediaEvent, json.RawMessage(o[0].Event.JSON))
	case !several:
		return answerOne(o)
	case r.accepts(mediaEventBatch):
		all := make([]json.RawMessage, len(o))
		for i := range o {
			all[i] = o[i].Event.JSON
		}
		return jsonReply(http.StatusOK, mediaEventBatch, all)
	default:
		return jsonReply(http.StatusOK, mediaJSON, resultsOf(o))
	}
}

// accepts reports whether the caller names a media type among those it takes.
func (r *httpRequest) accepts(media string) bool {
	for part := range strings.SplitSeq(r.headers["accept"], ",") {
		got, parameters, err := mime.ParseMediaType(part)
		if err == nil && got == media && parameters["q"] != "0" {
			return true
		}
	}
	return false
}

// prefersReply reports whether a Prefer header asks for events in reply.
func prefersReply(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if name, _, _ := strings.Cut(part, ";"); strings.EqualFold(strings.TrimSpace(name), "reply") {
			return true
		}
	}
	return false
}
