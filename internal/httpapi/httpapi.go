// Package httpapi is the HTTP API: it reads what a call asks for, and answers with what became of it.
// All HTTP fronts come through here. A server hands a [Handler] its requests; what a front of Lambda
// sends as an event becomes an *http.Request first, and goes through [Handler.Read] and [Call.Answer].
package httpapi

import (
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
