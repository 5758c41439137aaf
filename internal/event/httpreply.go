package event

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dds-backup-delete/internal/deletion"
)

// httpReply is an HTTP response before it takes the form of its source.
type httpReply struct {
	status int
	header map[string]string
	body   any
	short  func() *httpReply // the same with less to read, for a front that takes no long replies; nil where it is short
}

// health is the reply to a health check.
type health struct {
	Status string `json:"status"`
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

// notAllowed returns the reply to a call by another method than these.
func (r *httpRequest) notAllowed(allow string) *httpReply {
	reply := r.failure(http.StatusMethodNotAllowed, fmt.Sprintf("the method %q is not for this path; expected %s", shorten(r.method), allow))
	reply.header["Allow"] = allow
	return reply
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

// answerList answers a list with a result for each of its requests, even where it is an error.
func answerList(outcomes []deletion.Outcome) *httpReply {
	return resultsReply(http.StatusMultiStatus, outcomes)
}

// resultsReply returns the reply with all results.
func resultsReply(status int, outcomes []deletion.Outcome) *httpReply {
	reply := jsonReply(status, mediaJSON, resultsOf(outcomes))
	reply.short = func() *httpReply { return jsonReply(status, mediaJSON, results{shortResults(outcomes)}) }
	return reply
}

// leftOut is the message of a result that is shortened.
const leftOut = "left out, because the reply would be too long"

// shortResults returns the results without the words of DDS, which can have 512 bytes each. What a
// program acts on stays: ids, jobs, statuses, classes, codes and waits.
func shortResults(outcomes []deletion.Outcome) []deletion.Data {
	all := resultsOf(outcomes).Results
	for i := range all {
		if e := all[i].Error; e != nil {
			e.Message, e.DDSRequestID = leftOut, ""
			if len(e.Code) > 32 { // no code of DDS is so long, only another program's
				e.Code = ""
			}
		}
	}
	return all
}

// longestReply bounds, in bytes, the reply to a call when it is shortened. Only the ids that callers
// choose have no bound that is small enough for a thousand of them.
func longestReply(requests []deletion.Request) int {
	const frame, most = 10_000, 600 // the problem around the results; a result without its request id
	total := frame
	for i := range requests {
		total += most + quotedTwice(requests[i].ID)
	}
	return total
}

// quotedTwice bounds, in bytes, an id in JSON that is a text in JSON, as the body of a reply is.
func quotedTwice(id string) int {
	n := len(id)
	for _, c := range []byte(id) {
		switch {
		case c == '"', c == '\\':
			n += len(`\\\"`) - 1
		case c == '<', c == '>', c == '&':
			n += len(`\\u003c`) - 1
		case c >= utf8.RuneSelf: // U+2028, for example, has three such bytes and is escaped
			n += 2
		}
	}
	return n
}

// answerEvents answers whoever delivered CloudEvents: success takes them all as delivered, so
// one that must be tried again fails the delivery. Where the sender takes events back, the
// outcomes are those; a reply of another status than 200 would not be sent onward.
// https://github.com/knative/specs/blob/main/specs/eventing/data-plane.md#derived-reply-events
func (r *httpRequest) answerEvents(outcomes []deletion.Outcome, several bool) *httpReply {
	if o := longest(outcomes); o != nil && several {
		reply := answerError(o, resultsOf(outcomes).Results)
		reply.short = func() *httpReply { return answerError(o, shortResults(outcomes)) }
		return reply
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
		reply := jsonReply(http.StatusOK, mediaEventBatch, all)
		reply.short = func() *httpReply { return jsonReply(http.StatusOK, mediaJSON, results{shortResults(o)}) }
		return reply
	default:
		return resultsReply(http.StatusOK, o)
	}
}

// accepts reports whether the caller names a media type among those it takes.
func (r *httpRequest) accepts(media string) bool {
	for part := range strings.SplitSeq(r.headers["accept"], ",") {
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

// prefersReply reports whether a Prefer header asks for events in reply.
func prefersReply(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if name, _, _ := strings.Cut(part, ";"); strings.EqualFold(strings.TrimSpace(name), "reply") {
			return true
		}
	}
	return false
}
