package httpapi

import (
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"dds-backup-delete/internal/deletion"
)

// Call is what an HTTP request asks for, and how to answer it.
type Call struct {
	// Requests are what the call asks for. There are none if it is answered without any work.
	Requests []deletion.Request
	// Status is the call's question for the state of a backup; nil if it asks for something else.
	Status *Status

	answer   func([]deletion.Outcome) *Response
	head     bool   // it is a HEAD, whose response has no body
	location string // where the state of the one backup is; empty if the call does not name one backup
}

// Status is a question for the state of a backup. Work fills in the State or the Err before it answers the call.
type Status struct {
	// Backup is the backup, as the call names it: the id is not checked, and the project and the region may be
	// empty for the configured ones.
	Backup deletion.Target
	// State is what the ledger knows of the backup; nil if that is nothing.
	State *deletion.State
	// Err says why the ledger was not asked, or did not answer; nil if it did.
	Err *deletion.Error
}

// Answer returns the response to a call, given the outcomes of its requests in their order.
func (c *Call) Answer(outcomes []deletion.Outcome) *Response {
	response := c.answer(outcomes)
	if response.Status == http.StatusAccepted {
		response.Header["Location"] = c.location
	}
	if c.head {
		response.body = nil
	}
	return response
}

// answered returns a call that is answered without any work.
func answered(response *Response) *Call {
	return &Call{answer: func([]deletion.Outcome) *Response { return response }}
}

// Response is the response to a call.
type Response struct {
	// Status is the HTTP status.
	Status int
	// Header are the headers by their canonical names.
	Header map[string]string

	body  any              // nil for none
	short func() *Response // the same without the messages; nil if it is short
}

// Body returns the body in JSON; nil if there is none, for example in the response to a HEAD.
func (r *Response) Body() []byte {
	if r.body == nil {
		return nil
	}
	text, err := json.Marshal(r.body)
	if err != nil { // every body is made of texts, numbers, and JSON that was valid
		panic(err)
	}
	return text
}

// Short returns the response without DDS's messages, for a front that takes no long ones. Ids, statuses
// and codes stay.
func (r *Response) Short() *Response {
	if r.short == nil {
		return r
	}
	return r.short()
}

// problem is an error in the form of RFC 9457, with members of its own. The type is left out, which
// stands for "about:blank": the status says it all.
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
	Replayed     bool            `json:"replayed,omitempty"`
	Results      []deletion.Data `json:"results,omitempty"`
}

// problemResponse returns the response that tells a problem.
func problemResponse(p problem) *Response {
	p.Title = http.StatusText(p.Status)
	return jsonResponse(p.Status, mediaProblem, p)
}

func jsonResponse(status int, media string, body any) *Response {
	return &Response{Status: status, Header: map[string]string{"Content-Type": media}, body: body}
}

// statuses are the HTTP statuses of classes of errors. They are a contract: callers match them.
var statuses = map[deletion.Class]int{
	deletion.ClassInvalid:         http.StatusBadRequest,
	deletion.ClassNotFound:        http.StatusNotFound,
	deletion.ClassForbidden:       http.StatusForbidden,
	deletion.ClassUnauthenticated: http.StatusBadGateway, // our credentials at DDS, not the caller's
	deletion.ClassConflict:        http.StatusConflict,
	deletion.ClassUnknown:         http.StatusBadGateway,
	deletion.ClassThrottled:       http.StatusTooManyRequests,
	deletion.ClassUnavailable:     http.StatusServiceUnavailable,
	deletion.ClassUndelivered:     http.StatusServiceUnavailable,
	deletion.ClassInternal:        http.StatusInternalServerError,
}

// leftOut is the message of a result that is shortened.
const leftOut = "left out, because the reply would be too long"

// shortResults returns the results without the words of DDS, which can have 512 bytes each. What a
// program acts on stays: ids, jobs, statuses, classes, codes and waits.
func shortResults(outcomes []deletion.Outcome) deletion.Results {
	all := deletion.ResultsOf(outcomes)
	for i := range all.Results {
		if e := all.Results[i].Error; e != nil {
			e.Message, e.DDSRequestID = leftOut, ""
			if len(e.Code) > 32 { // no code of DDS is so long, only another program's
				e.Code = ""
			}
		}
	}
	return all
}

// longestResponse bounds, in bytes, the response to a call when it is shortened. Only the ids that
// callers choose have no bound that is small enough for a thousand of them.
func longestResponse(requests []deletion.Request) int {
	const frame, most = 10_000, 600 // the problem around the results; a result without its request id
	total := frame
	for i := range requests {
		total += most + quotedTwice(requests[i].ID)
	}
	return total
}

// quotedTwice bounds, in bytes, an id in JSON that is a text in JSON, as the body of a response is in
// the event of a front.
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
