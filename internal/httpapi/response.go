package httpapi

import (
	"encoding/json"
	"net/http"

	"dds-backup-delete/internal/deletion"
)

// Call is a call that was read.
type Call struct {
	// Requests are what the call asks for. There are none if it is answered without any work.
	Requests []deletion.Request

	answer func([]deletion.Outcome) *Response
	head   bool // its response has no body
}

// Answer returns the response to a call, given the outcomes of its requests in their order.
func (c *Call) Answer(outcomes []deletion.Outcome) *Response {
	response := c.answer(outcomes)
	response.head = c.head
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

	body  any
	head  bool             // there is no body to send
	short func() *Response // the same with less to read; nil if it is short
}

// Body returns the body in JSON; nil if there is none, as in the response to a HEAD.
func (r *Response) Body() []byte {
	if r.head {
		return nil
	}
	text, err := json.Marshal(r.body)
	if err != nil { // every body is made of texts, numbers, and JSON that was valid
		panic(err)
	}
	return text
}

// Short returns the response with less to read, for a front that takes no long ones. What a program
// acts on stays.
func (r *Response) Short() *Response {
	if r.short == nil {
		return r
	}
	short := r.short()
	short.head = r.head
	return short
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

// statusOf returns the HTTP status for a class of error. It is a contract: callers match it.
func statusOf(class deletion.Class) int {
	switch class {
	case deletion.ClassInvalid:
		return http.StatusBadRequest
	case deletion.ClassNotFound:
		return http.StatusNotFound
	case deletion.ClassForbidden:
		return http.StatusForbidden
	case deletion.ClassUnauthenticated, deletion.ClassUnknown: // between this program and DDS, and not the caller's
		return http.StatusBadGateway
	case deletion.ClassConflict:
		return http.StatusConflict
	case deletion.ClassThrottled:
		return http.StatusTooManyRequests
	case deletion.ClassUnavailable, deletion.ClassUndelivered:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
