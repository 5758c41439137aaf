// Package httpapi is the HTTP API: it reads what a call asks for, and answers with the outcomes.
// All HTTP fronts come through here. A server hands a [Handler] its requests; what a front of Lambda
// sends as an event becomes an *http.Request first, and goes through [Handler.Read] and [Call.Answer].
package httpapi

import (
	"context"
	"time"

	"dds-backup-delete/internal/deletion"
)

// Source is an HTTP client of a server that serves a [Handler].
const Source deletion.Source = "http"

// MaxTime is how long a call is worked: API Gateway gives up after 29 s.
const MaxTime = 25 * time.Second

// MaxBody bounds, in bytes, the body of a call, as a load balancer does.
const MaxBody = 1 << 20

// Media types of what comes in and goes out.
const (
	mediaJSON        = "application/json"
	mediaEvent       = "application/cloudevents+json"
	mediaEventBatch  = "application/cloudevents-batch+json"
	mediaProblem     = "application/problem+json"
	acceptedInBodies = mediaJSON + ", " + mediaEvent + ", " + mediaEventBatch
)

// Front is what the front that received a call says of it. It travels in the context of the request,
// since a caller could send any header.
type Front struct {
	// RequestID names the call.
	RequestID string
	// Parameters are the path parameters that the front found, by their names; nil if it finds none.
	Parameters map[string]string
	// Prefix is what the front took off the path, for example the name of a stage: /prod. It is empty for nothing.
	Prefix string
	// SentAt is when the front received the call; zero if it does not say.
	SentAt time.Time
	// By is who called; nil if the front does not know.
	By *deletion.Principal
	// MaxResponse bounds, in bytes, a response in the form of the front; 0 if there is no bound.
	MaxResponse int
	// Fault says why the front's envelope of the call cannot be read; empty if it can.
	Fault string
	// BodyFault says why the body in the envelope cannot be read; empty if it can.
	BodyFault string
}

type frontKey struct{}

// WithFront returns a context for the requests that a front received.
func WithFront(ctx context.Context, front Front) context.Context {
	return context.WithValue(ctx, frontKey{}, front)
}
