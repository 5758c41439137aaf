// Package httpapi is the HTTP API: it reads what a call asks for, and answers with what became of it.
// All HTTP fronts come through here. A server hands a [Handler] its requests; what a front of Lambda
// sends as an event becomes an *http.Request first, and goes through [Handler.Read] and [Call.Answer].
package httpapi

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
)

// Source is an HTTP client of a server that serves a [Handler].
const Source deletion.Source = "http"

// MaxTime is how long a call is worked: API Gateway gives up after 29 s.
const MaxTime = 25 * time.Second

// MaxBody bounds, in bytes, the body of a call, as a load balancer does.
const MaxBody = 1 << 20

// Handler answers the calls of the API.
type Handler struct {
	// Body reads the bodies of calls.
	Body body.Reader
	// BasePath is the prefix that paths may have, for example /dds; empty for none.
	BasePath string
	// Work works a call that ServeHTTP got: it reads the call, and answers it with the outcomes of its
	// requests. An error is answered by a problem with status 500. Who only reads calls leaves it nil.
	Work func(ctx context.Context, read func() *Call) (*Response, error)
}

// ServeHTTP implements [http.Handler]. A client that hangs up does not cancel what DDS has been asked for.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = r.WithContext(WithFront(context.WithoutCancel(r.Context()), Front{RequestID: rand.Text()}))
	response, err := h.Work(r.Context(), func() *Call { return h.Read(r) })
	if err != nil {
		response = problemResponse(problem{
			Status: http.StatusInternalServerError, Detail: "the request could not be worked", Class: deletion.ClassInternal,
		})
		response.Header["Retry-After"] = "60"
	}
	for name, value := range response.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(response.Status)
	_, _ = w.Write(response.Body()) // the client may be gone
}

// Call is a call that was read.
type Call struct {
	// Requests are what the call asks for. There are none where it is answered without any work.
	Requests []deletion.Request

	answer func([]deletion.Outcome) *Response
	head   bool // its response has no body
}

// Read reads a call. Whatever is wrong with it becomes its answer.
func (h *Handler) Read(r *http.Request) *Call {
	in, refused := newRequest(r)
	call := refused
	if refused == nil {
		call = h.route(in)
	}
	if most := longestResponse(call.Requests); in.front.MaxResponse > 0 && most > in.front.MaxResponse {
		call = in.refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf(
			"the reply to %d deletions with such ids may have %d bytes, and this front takes %d; expected fewer deletions, or shorter ids",
			len(call.Requests), most, in.front.MaxResponse))
	}
	call.head = r.Method == http.MethodHead
	return call
}

// Answer returns the response to a call, given the outcomes of its requests in their order.
func (c *Call) Answer(outcomes []deletion.Outcome) *Response {
	response := c.answer(outcomes)
	response.head = c.head
	return response
}
