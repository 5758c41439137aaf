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

// tryTime bounds one request, so that one that hangs, for example after a freeze, leaves time for
// another.
const tryTime = 5 * time.Second

// HTTPOptions says where and how events are sent over HTTP.
type HTTPOptions struct {
	// Address is the URL of the receiver.
	Address string
	// Binary sends the data as the body and the attributes as headers; otherwise the whole event is
	// the body.
	Binary bool
	// Token is a bearer token; it may be empty.
	Token secret.String
	// Key signs requests by the Standard Webhooks scheme; it may be empty.
	Key secret.String
}

// httpSink sends CloudEvents to an address, one per request.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
type httpSink struct {
	options   HTTPOptions
	transport http.RoundTripper
}

// NewHTTP returns a sink for an address, over a transport; nil for a new one.
func NewHTTP(options HTTPOptions, roundTripper http.RoundTripper) deletion.Sink {
	if roundTripper == nil {
		roundTripper = transport.New(transport.Options{Connections: maxCalls, Try: tryTime})
	}
	s := &httpSink{options: options, transport: roundTripper}
	return &Batcher[*deletion.Event]{
		MaxEntries: 1,
		Entry:      func(e *deletion.Event) *deletion.Event { return e },
		Size:       func(e **deletion.Event) int { return len((*e).JSON) },
		Send: func(ctx context.Context, batch []*deletion.Event) []error {
			return []error{s.post(ctx, batch[0])}
		},
	}
}

// post sends one event. Errors name only the host: the rest of an address may be a secret.
//
// It calls the transport directly, so that no redirect is followed: the new address was not
// configured, and would get the token.
func (s *httpSink) post(ctx context.Context, e *deletion.Event) error {
	request, err := s.request(ctx, e)
	if err != nil {
		return Permanent(fmt.Errorf("the event cannot be sent over HTTP: %w", err))
	}
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		err = fmt.Errorf("%s: %w", request.URL.Host, err)
		var certificate *tls.CertificateVerificationError
		if errors.As(err, &certificate) {
			return Permanent(err)
		}
		return err
	}
	transport.Drain(response) // only the status matters
	_ = response.Body.Close()
	return statusError(request.URL.Host, response)
}

// request returns the request that sends an event.
func (s *httpSink) request(ctx context.Context, e *deletion.Event) (*http.Request, error) {
	header := http.Header{"Content-Type": {"application/cloudevents+json; charset=utf-8"}}
	body := e.JSON
	if s.options.Binary {
		header, body = binaryHeader(e), e.Data
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.options.Address, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address is not a URL") // err repeats the address
	}
	request.Header = header
	request.Header.Set("User-Agent", EventSource)
	if !s.options.Token.IsZero() {
		request.Header.Set("Authorization", "Bearer "+s.options.Token.Reveal())
	}
	if !s.options.Key.IsZero() {
		sign(request.Header, s.options.Key, e.ID, time.Now(), body)
	}
	return request, nil
}

// statusError returns the error of an event by the status of the answer; nil if the receiver took it.
func statusError(host string, response *http.Response) error {
	status := response.StatusCode
	if status >= 200 && status <= 299 {
		return nil
	}
	err := fmt.Errorf("%s: HTTP status %d", host, status)
	switch {
	case status == http.StatusTooManyRequests || status >= 500:
		return &PublishError{Err: err, Wait: retry.After(response.Header.Get("Retry-After"), time.Now())}
	case status >= 300 && status <= 399:
		return Permanent(fmt.Errorf("%w, a redirect, which is not followed", err))
	case status == http.StatusGone:
		return Permanent(fmt.Errorf("%w: the receiver wants no more events", err))
	default:
		return Permanent(err)
	}
}
