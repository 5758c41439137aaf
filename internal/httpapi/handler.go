package httpapi

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
)

// Handler answers the calls of the API.
type Handler struct {
	// Body reads the bodies of calls.
	Body body.Reader
	// BasePath is the prefix that paths may have, for example /dds; empty for none.
	BasePath string
	// Work handles a call for ServeHTTP: it calls read, processes the requests, fills in the Status if there is
	// one, and returns the answer to the outcomes. It calls read itself so that a panic there is reported like any other. An error
	// becomes a problem with status 500. Work is nil if only Read is used.
	Work func(ctx context.Context, read func() *Call) (*Response, error)
}

// ServeHTTP implements [http.Handler]. A client that hangs up does not cancel what DDS has been asked for, but a
// deadline of the request's context counts. A server that knows more of the call than the request says puts a
// [Front] into that context.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := context.WithoutCancel(r.Context())
	if deadline, bounded := r.Context().Deadline(); bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	if front, _ := ctx.Value(frontKey{}).(Front); front.RequestID == "" {
		front.RequestID = rand.Text()
		ctx = WithFront(ctx, front)
	}
	r = r.WithContext(ctx)
	response, err := h.Work(r.Context(), func() *Call { return h.Read(r) })
	if err != nil {
		response = problemResponse(problem{
			Status: http.StatusInternalServerError, Detail: "the request could not be processed", Class: deletion.ClassInternal,
		})
		response.Header["Retry-After"] = "60"
	}
	for name, value := range response.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(response.Status)
	_, _ = w.Write(response.Body()) // the client may be gone
}

// Read reads a call. Whatever is wrong with it becomes its answer.
func (h *Handler) Read(r *http.Request) *Call {
	in, call := newRequest(r, h.Body, h.BasePath)
	if call == nil {
		call = in.route()
	}
	if most := longestResponse(call.Requests); in.front.MaxResponse > 0 && most > in.front.MaxResponse {
		call = in.refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf(
			"the reply to %d deletions with such ids may have %d bytes, and this front takes %d; expected fewer deletions, or shorter ids",
			len(call.Requests), most, in.front.MaxResponse))
	}
	if len(call.Requests) == 1 {
		call.location = in.location(&call.Requests[0])
	}
	call.head = r.Method == http.MethodHead
	return call
}
