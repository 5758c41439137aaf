package sink

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
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
	Address *url.URL
	// Binary sends the data as the body and the attributes as headers; otherwise the whole event is
	// the body.
	Binary bool
	// Token is a bearer token, and Key signs requests by the Standard Webhooks scheme. Both may be empty.
	Token, Key secret.String
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
		roundTripper = transport.New(transport.Options{Connections: MaxCalls, Try: tryTime})
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
	host := s.options.Address.Host
	response, err := s.transport.RoundTrip(s.request(ctx, e))
	if err != nil {
		err = fmt.Errorf("%s: %w", host, err)
		if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
			return Permanent(err)
		}
		return err
	}
	transport.Drain(response) // only the status matters
	_ = response.Body.Close()
	return statusError(host, response)
}

// request returns the request that sends an event.
func (s *httpSink) request(ctx context.Context, e *deletion.Event) *http.Request {
	header := http.Header{"Content-Type": {"application/cloudevents+json; charset=utf-8"}}
	body := e.JSON
	if s.options.Binary {
		header, body = binaryHeader(e), e.Data
	}
	header.Set("User-Agent", EventSource)
	if !s.options.Token.IsZero() {
		header.Set("Authorization", "Bearer "+s.options.Token.Reveal())
	}
	if !s.options.Key.IsZero() {
		sign(header, s.options.Key, e.ID, time.Now(), body)
	}
	request, _ := http.NewRequestWithContext(ctx, http.MethodPost, "", bytes.NewReader(body)) // method and URL are valid
	request.URL, request.Header = s.options.Address, header
	return request
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

// binaryHeader returns the header of an event in binary mode, which holds its attributes. The body is
// its data.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#31-binary-content-mode
func binaryHeader(e *deletion.Event) http.Header {
	header := http.Header{"Content-Type": {"application/json"}, "Ce-Specversion": {"1.0"}}
	for name, value := range map[string]string{
		"Ce-Id": e.ID, "Ce-Source": e.Source, "Ce-Type": e.Type, "Ce-Subject": e.Subject, "Ce-Traceparent": e.TraceParent,
		"Ce-Authtype": e.AuthType, "Ce-Authid": e.AuthID,
	} {
		if value != "" {
			header.Set(name, headerValue(value))
		}
	}
	if e.AuthClaimed {
		header.Set("Ce-Authclaimed", "true")
	}
	return header
}

// headerValue percent-encodes what a header cannot hold: space, quote, percent and everything that is
// not printable ASCII.
func headerValue(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c > '~' || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// sign adds the headers of the Standard Webhooks scheme. They tell a receiver who sent the body and
// when, and whether it is a repeat.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func sign(header http.Header, key secret.String, id string, now time.Time, body []byte) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	digest := hmac.New(sha256.New, []byte(key.Reveal()))
	_, _ = fmt.Fprintf(digest, "%s.%s.%s", id, timestamp, body) // a hash cannot fail
	header.Set("Webhook-Id", id)
	header.Set("Webhook-Timestamp", timestamp)
	header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(digest.Sum(nil)))
}
