package dds

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// maxMessage bounds, in bytes, how much of an answer's text an [Error] keeps.
const maxMessage = 512

// Error is what the DDS API, or the way to it, refused a call with. It is the only error
// type that a [Client] returns.
type Error struct {
	// Class decides what happens next.
	Class Class
	// Code is the service's or the gateway's code, as DBS.201214 or APIGW.0301; empty where none was sent.
	Code string
	// Message is the service's own text, or ours where no answer came.
	Message string
	// StatusCode is the HTTP status; 0 where no answer came.
	StatusCode int
	// RequestID is DDS's own id of the call (X-Request-Id); empty where none was sent.
	RequestID string
	// RetryAfter is how long the service asked to wait; 0 where it did not say.
	RetryAfter time.Duration
	// AnswerLost says that the call may have done its work though no answer was understood.
	AnswerLost bool
	// Err is the cause below, such as a network error; nil for an answer of the service.
	Err error
}

// Error implements error. It holds no secret and no request body.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("dds: ")
	b.WriteString(string(e.Class))
	if e.Code != "" {
		b.WriteString(": " + e.Code)
	}
	if e.StatusCode != 0 {
		fmt.Fprintf(&b, ": HTTP %d", e.StatusCode)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// LogValue implements [slog.LogValuer].
func (e *Error) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("class", string(e.Class)),
		slog.String("code", e.Code),
		slog.String("message", e.Message),
		slog.Int("http_status", e.StatusCode),
		slog.String("dds_request_id", e.RequestID),
	)
}

// parsing returns a handler that turns every answer but a success into an [Error].
// 200 and 202 are successes: which of them a deletion gives differs between the pages.
func parsing(next handler) handler {
	return func(r *http.Request) (*response, error) {
		resp, err := next(r)
		if err != nil {
			return nil, err
		}
		if resp.status == http.StatusOK || resp.status == http.StatusAccepted {
			return resp, nil
		}
		return nil, parseError(resp)
	}
}

// parseError reads the code and text of an answer that is not a success.
func parseError(resp *response) *Error {
	var body struct {
		Code      string `json:"error_code"`
		Message   string `json:"error_msg"`
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal(resp.body, &body); err != nil {
		// HTML of a proxy, or nothing at all: the status is all there is to go by.
		body.Message = http.StatusText(resp.status)
	}
	id := resp.header.Get("X-Request-Id")
	if id == "" {
		id = body.RequestID
	}
	return &Error{
		Class:      classify(resp.status, body.Code),
		Code:       printable(body.Code),
		Message:    printable(body.Message),
		StatusCode: resp.status,
		RequestID:  printable(id),
	}
}

// printable makes foreign text safe for a log line: bounded, no control characters.
func printable(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, ""))
}
