package dds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"dds-backup-delete/internal/transport"
)

// maxBody bounds, in bytes, what is read of an answer. A success is a hundred bytes.
const maxBody = 1 << 20

// sender is the innermost handler: it sends a call and reads the answer.
type sender struct{ transport http.RoundTripper }

// newSender returns a sender over a transport; nil for one of its own.
func newSender(over http.RoundTripper, connections int) *sender {
	if over == nil {
		over = transport.New(transport.Options{Connections: connections})
	}
	return &sender{transport: over}
}

// send is a [handler]. No redirect is followed: a signed request is for the host it was
// signed for.
func (s *sender) send(c *call) (*response, error) {
	if deadline, bounded := c.Context().Deadline(); bounded && wallClock().After(deadline.Round(0)) {
		// The context cannot know: its timer stands still while the function is frozen.
		return nil, &Error{Class: Unavailable, Message: "the deadline passed while the function was frozen"}
	}
	res, err := s.transport.RoundTrip(c.Request)
	if err != nil {
		return nil, noAnswer(err)
	}
	defer res.Body.Close() //nolint:errcheck // the body was read
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = fmt.Errorf("longer than %d bytes", maxBody)
	}
	if err != nil && res.StatusCode >= 400 && res.StatusCode < 500 {
		body, err = nil, nil // the refusal is clear, whatever its text was
	}
	if err != nil {
		return nil, &Error{
			Class: Unavailable, Message: "the answer broke off", StatusCode: res.StatusCode, AnswerLost: true, Err: err,
		}
	}
	return &response{status: res.StatusCode, header: res.Header, body: body}, nil
}

// noAnswer returns the error of a call that got no answer. The answer counts as lost unless the
// request certainly was not sent.
func noAnswer(err error) *Error {
	e := &Error{Class: Unavailable, Message: "no answer", AnswerLost: true, Err: err}
	var failed *transport.Error
	if errors.As(err, &failed) {
		e.AnswerLost, e.stale = failed.MaybeSent, failed.Kept
	}
	return e
}

// connect opens a connection.
func (s *sender) connect(ctx context.Context, endpoint string) {
	transport.Open(ctx, s.transport.RoundTrip, endpoint)
}

// closeIdle closes the kept connections, of a transport that keeps any.
func (s *sender) closeIdle() { (&http.Client{Transport: s.transport}).CloseIdleConnections() }
