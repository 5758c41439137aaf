package dds

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/transport"
)

// maxBody bounds, in bytes, how much of an answer is read. A success has about a hundred bytes.
const maxBody = 1 << 20

// sending returns the innermost handler, which sends a call and reads the answer. It follows no
// redirect, because a signature is valid for one host only.
func sending(over http.RoundTripper) handler {
	return func(c *call) (*response, error) {
		c.last = facts{}
		deadline, bounded := c.Context().Deadline()
		if bounded && time.Now().Round(0).After(deadline.Round(0)) {
			// The context does not know: its timer stops while the function is frozen.
			return nil, &deletion.Error{Class: deletion.ClassUnavailable, Message: "the deadline passed while the function was frozen"}
		}
		c.last.sent = true
		if c.GetBody != nil {
			c.Body, _ = c.GetBody() // of bytes in memory, which cannot fail
		}
		res, err := over.RoundTrip(c.Request)
		if err != nil {
			return nil, c.noAnswer(err)
		}
		defer res.Body.Close() //nolint:errcheck // the body was read
		body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
		if err == nil && len(body) > maxBody {
			err = fmt.Errorf("longer than %d bytes", maxBody)
		}
		if err != nil && res.StatusCode >= 400 && res.StatusCode < 500 {
			body, err = nil, nil // the status alone is a clear refusal
		}
		if err != nil {
			e := unavailable("the answer broke off", err)
			e.HTTPStatus, e.MaybeSent = res.StatusCode, true
			return nil, e
		}
		return &response{status: res.StatusCode, header: res.Header, body: body}, nil
	}
}

// noAnswer returns the error of a try without an answer. The request counts as sent unless it
// certainly was not.
func (c *call) noAnswer(err error) *deletion.Error {
	e := unavailable("no answer", err)
	e.MaybeSent = true
	failed, ok := errors.AsType[*transport.Error](err)
	if ok {
		e.MaybeSent, c.last.stale = failed.MaybeSent, failed.Kept
	}
	return e
}
