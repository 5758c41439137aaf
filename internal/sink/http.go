package sink

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/retry"
	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/transport"
)

// EventSource is the default source of entries on an event bus, and the user agent of requests.
const EventSource = "dds-backup-delete"

// tryTime bounds one request, so that one that hangs, as after a freeze, leaves time for another.
const tryTime = 5 * time.Second

// HTTPOptions says where and how events are sent over HTTP.
type HTTPOptions struct {
	// Address is where they are sent.
	Address string
	// Binary sends the data as the body and the attributes as headers; else the whole event is
	// the body.
	Binary bool
	// Token is a bearer token; it may be empty.
	Token secret.String
	// Key signs requests; it may be empty.
	Key secret.String
}

// httpSink sends CloudEvents to an address, one to a request.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
type httpSink struct {
	o         HTTPOptions
	transport http.RoundTripper
}

// NewHTTP returns a sink for an address, over a transport; nil for one of its own.
func NewHTTP(o HTTPOptions, over http.RoundTripper) deletion.Sink {
	if over == nil {
		over = transport.New(transport.Options{Connections: maxCalls, Try: tryTime})
	}
	s := httpSink{o: o, transport: over}
	return &Batches[*deletion.Event]{
		Most:  1,
		Entry: func(e *deletion.Event) *deletion.Event { return e },
		Size:  func(e **deletion.Event) int { return len((*e).JSON) },
		Send: func(ctx context.Context, batch []*deletion.Event) []error {
			return []error{s.post(ctx, batch[0])}
		},
	}
}

// post sends one event. Errors name the host alone: the rest of an address may be a secret.
//
// It uses the transport itself, so that no redirect is followed, nor even read: somebody else's
// address was not configured, and would get the token.
func (s *httpSink) post(ctx context.Context, e *deletion.Event) error {
	request, err := s.request(ctx, e)
	if err != nil {
		return &RefusedError{Err: fmt.Errorf("the event cannot be sent over HTTP: %w", err)}
	}
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		err = fmt.Errorf("%s: %w", request.URL.Host, err)
		var certificate *tls.CertificateVerificationError
		if errors.As(err, &certificate) {
			return &RefusedError{Err: err}
		}
		return err
	}
	transport.Drain(response) // the status has said it all
	_ = response.Body.Close()
	return statusError(request.URL.Host, response)
}

// request writes the request of an event.
func (s *httpSink) request(ctx context.Context, e *deletion.Event) (*http.Request, error) {
	header := http.Header{"Content-Type": {"application/cloudevents+json; charset=utf-8"}}
	body := e.JSON
	if s.o.Binary {
		header, body = binaryHeader(e), e.Data
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.Address, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("no address of that form") // the error itself repeats it
	}
	request.Header = header
	request.Header.Set("User-Agent", EventSource)
	if !s.o.Token.IsZero() {
		request.Header.Set("Authorization", "Bearer "+s.o.Token.Reveal())
	}
	if !s.o.Key.IsZero() {
		sign(request.Header, s.o.Key, e.ID, time.Now(), body)
	}
	return request, nil
}

// statusError is what an answer says of its event: nil for one that was taken.
func statusError(host string, response *http.Response) error {
	status := response.StatusCode
	if status >= 200 && status <= 299 {
		return nil
	}
	err := fmt.Errorf("%s: HTTP status %d", host, status)
	switch {
	case status == http.StatusTooManyRequests || status >= 500:
		return &BusyError{err, retry.After(response.Header.Get("Retry-After"), time.Now())}
	case status >= 300 && status <= 399:
		return &RefusedError{Err: fmt.Errorf("%w, a redirect, which is not followed", err)}
	case status == http.StatusGone:
		return &RefusedError{Err: fmt.Errorf("%w: the receiver wants no more events", err)}
	default:
		return &RefusedError{Err: err}
	}
}
