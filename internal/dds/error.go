package dds

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
)

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
	// RetryAfter is how long to wait before another try; 0 where nobody said.
	RetryAfter time.Duration
	// Limit is the limit that a throttled answer told; zero where it told none.
	Limit RateLimit
	// AnswerLost says that a try may have done its work though no answer to it was understood.
	AnswerLost bool
	// Err is the cause below, such as a network error; nil for an answer of the service.
	Err error

	stale bool      // a kept-alive connection turned out to be dead
	date  time.Time // of the answer, by the clock of who sent it; zero where it told none
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
