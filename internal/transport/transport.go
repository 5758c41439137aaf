// Package transport carries HTTP calls to clouds: to DDS and IAM, to AWS services, and to the
// receiver of outcomes over HTTP. Every setting of connections lives here.
//
// All calls use HTTP/1.1. With HTTP/2 one dead connection stalls every call to its host until a
// ping notices, and it costs more CPU. With HTTP/1.1 a call that times out closes its own
// connection, and no other call was on it.
package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"time"

	"dds-backup-delete/internal/secret"
)

const (
	// dialTime bounds the opening of a connection, and its TLS handshake as long again.
	dialTime = 5 * time.Second
	// idleTime is how long a connection is kept for the next call. Servers close theirs after a
	// minute or more. net/http compares it with the wall clock before it reuses a connection, so
	// a connection from before a long freeze is not reused.
	idleTime = 30 * time.Second
	// keptTime is the least time for an answer on a kept connection.
	keptTime = 10 * time.Second
	// longestTime bounds a call whose context has no deadline.
	longestTime = time.Minute
	// maxDrain is how much of an unread answer is read so that its connection can be used again.
	maxDrain = 4096
)

// Options are the settings of a [Transport].
type Options struct {
	// Connections is how many idle connections to one host are kept.
	Connections int
	// Try bounds one call, from the dial to the end of its answer, for a caller that tries again;
	// 0 if only the call's context bounds it.
	Try time.Duration
	// Roots are the certificate authorities to trust; nil for the system's.
	Roots *x509.CertPool
}

// Transport is a pool of connections. It follows no redirect. Its errors are [*Error] values.
//
// A connection may have died unnoticed while the function was frozen. So a call on a new connection
// may use the whole time of its context, and on a kept one half of it, but at least ten seconds; the
// rest is left for another try. After a call timed out on a kept connection, the idle ones are
// closed too.
type Transport struct {
	*http.Transport

	try time.Duration
}

// New returns a transport with no connection yet. It uses the proxies that HTTPS_PROXY,
// HTTP_PROXY and NO_PROXY name.
func New(o Options) *Transport {
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	return &Transport{try: o.Try, Transport: &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: dialTime}).DialContext,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			RootCAs:    o.Roots,
			// Only the first connection of a batch has to check certificates.
			ClientSessionCache: tls.NewLRUClientSessionCache(0),
		},
		TLSHandshakeTimeout: dialTime,
		Protocols:           http1,
		MaxIdleConnsPerHost: o.Connections,
		IdleConnTimeout:     idleTime,
	}}
}

// Error says why a call got no answer, or only a part of it.
type Error struct {
	// MaybeSent says that the server may have received the request, because it was given to a
	// connection. A request that fails earlier, at a name, a dial, a handshake or a proxy, was not sent.
	MaybeSent bool
	// Kept says that the connection was kept from an earlier call, so it may have been dead.
	Kept bool
	// Err is the cause.
	Err error
}

// Error implements error. Secrets are replaced, because the text may come from a proxy or a server,
// which may repeat what was sent to it.
func (e *Error) Error() string { return secret.Redact(e.Err.Error()) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether time ran out.
func (e *Error) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// Do is RoundTrip for AWS clients. They wrap their bodies, so net/http cannot see that a body is in
// memory: it would send header and body separately, and would lose the connection if the answer comes
// before it has read the end of the body. Do passes the bytes themselves.
func (t *Transport) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return t.RoundTrip(r)
	}
	text, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, &Error{Err: err}
	}
	r = r.WithContext(r.Context()) // a copy
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
	return t.RoundTrip(r)
}

// RoundTrip implements [http.RoundTripper]. The body of the response must be closed.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	c := &call{pool: t}
	ctx := r.Context()
	if t.try > 0 {
		ctx, c.endTry = context.WithTimeout(ctx, t.try)
	}
	ctx, c.cancel = context.WithCancelCause(ctx)
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { c.got(ctx, info.Reused) },
	})
	res, err := t.Transport.RoundTrip(r.WithContext(traced))
	if err != nil {
		c.end()
		return nil, c.failed(err)
	}
	res.Body = &body{res.Body, c}
	return res, nil
}

// call is a request until its answer was read.
type call struct {
	pool      *Transport
	endTry    context.CancelFunc // nil if [Options].Try is 0
	cancel    context.CancelCauseFunc
	timer     *time.Timer // nil if the context alone bounds the call
	maybeSent bool
	kept      bool
}

// got notes that the request was given to a connection, and bounds its time there. net/http calls it
// again if the connection was already closed before anything was written.
func (c *call) got(ctx context.Context, kept bool) {
	c.maybeSent, c.kept = true, kept
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	left := longestTime
	deadline, bounded := ctx.Deadline()
	if bounded {
		left = time.Until(deadline)
	}
	limit := left
	if kept {
		limit = max(left/2, keptTime)
	}
	if bounded && limit >= left {
		return
	}
	c.timer = time.AfterFunc(limit, func() {
		c.cancel(fmt.Errorf("no answer within %v: %w", limit, os.ErrDeadlineExceeded))
	})
}

// failed returns the error of a call that ended with err.
func (c *call) failed(err error) error {
	e := &Error{MaybeSent: c.maybeSent, Kept: c.kept, Err: err}
	if e.Kept && e.Timeout() {
		c.pool.CloseIdleConnections()
	}
	return e
}

// end stops the timer and the contexts that bound the call.
func (c *call) end() {
	if c.timer != nil {
		c.timer.Stop()
	}
	c.cancel(nil)
	if c.endTry != nil {
		c.endTry()
	}
}

// body is the body of an answer. Its call ends when it is closed.
type body struct {
	io.ReadCloser

	call *call
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // a reader returns io.EOF itself
		err = b.call.failed(err)
	}
	return n, err
}

// Close implements [io.Closer].
func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.call.end()
	return err
}

// Drain reads a short body that is not needed, before it is closed, so that the connection can be used
// again. It leaves a longer one, which may never end.
func Drain(res *http.Response) {
	if res.ContentLength >= 0 && res.ContentLength <= maxDrain {
		_, _ = io.CopyN(io.Discard, res.Body, maxDrain)
	}
}

// Open opens a connection to an address for the first call, with an unsigned HEAD request. It returns
// no error, because the first call will.
func Open(ctx context.Context, do func(*http.Request) (*http.Response, error), address string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return
	}
	if res, err := do(r); err == nil {
		Drain(res)
		_ = res.Body.Close()
	}
}
