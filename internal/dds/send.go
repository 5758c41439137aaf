package dds

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxBody bounds, in bytes, what is read of an answer. A success is a hundred bytes.
	maxBody = 1 << 20
	// answerTime is how long DDS may take for its answer; a deletion is only started by it.
	answerTime = 10 * time.Second
	// idleTime is how long a connection is kept for the next call. Servers close theirs after
	// a minute or more, and what they closed while the function was frozen is no use.
	idleTime = 30 * time.Second
)

// sender is the innermost handler: it puts a call on the wire and reads the answer.
type sender struct {
	transport http.RoundTripper

	mu      sync.Mutex
	lastUse time.Time // by the wall clock, which goes on while the function is frozen
}

// newSender returns a sender over a transport; nil for one of its own.
func newSender(transport http.RoundTripper, connections int) *sender {
	if transport != nil {
		return &sender{transport: transport}
	}
	return &sender{transport: &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		// The connections of a batch after the first one need no certificates checked.
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)},
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: answerTime,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   connections,
		IdleConnTimeout:       idleTime,
	}}
}

// send is a [handler]. No redirect is followed: a signed request is for the host it was
// signed for.
func (s *sender) send(c *call) (*response, error) {
	if deadline, bounded := c.Context().Deadline(); bounded && wallClock().After(deadline.Round(0)) {
		// The context cannot know: its timer stands still while the function is frozen.
		return nil, &Error{Class: Unavailable, Message: "the deadline passed while the function was frozen"}
	}
	s.dropStale()
	var reused, wrote atomic.Bool
	trace := &httptrace.ClientTrace{
		GotConn:      func(info httptrace.GotConnInfo) { reused.Store(info.Reused) },
		WroteHeaders: func() { wrote.Store(true) },
	}
	res, err := s.transport.RoundTrip(c.WithContext(httptrace.WithClientTrace(c.Context(), trace)))
	if err != nil {
		return nil, &Error{
			Class: Unavailable, Message: "no answer", Err: err,
			AnswerLost: wrote.Load(),
			stale:      reused.Load() && !isTimeout(err),
		}
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

// connect opens a connection, with a request that asks for nothing and is not signed.
func (s *sender) connect(ctx context.Context, endpoint string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, endpoint, nil)
	if err != nil {
		return
	}
	s.dropStale()
	if res, err := s.transport.RoundTrip(r); err == nil {
		_ = res.Body.Close() // of HEAD, it is empty
	}
}

// isTimeout tells a slow answer from a dead connection.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// dropStale closes the kept connections after a pause that the timer of the transport, which
// stops while the function is frozen, may not have noticed.
func (s *sender) dropStale() {
	now := wallClock()
	s.mu.Lock()
	stale := !s.lastUse.IsZero() && now.Sub(s.lastUse) > idleTime
	s.lastUse = now
	s.mu.Unlock()
	if stale {
		s.closeIdle()
	}
}

// closeIdle closes the kept connections, of a transport that keeps any.
func (s *sender) closeIdle() { (&http.Client{Transport: s.transport}).CloseIdleConnections() }
