// Package dds is a client of the calls that deleting a manual backup needs of the Huawei
// Cloud Document Database Service API.
//
// A call passes a chain of small handlers, one concern each: redact, retry, pace, key lock, clock,
// parse, sign, send; see [New].
package dds

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// Options are the settings of a [Client].
type Options struct {
	// Endpoints are the addresses of DDS by region, as https://dds.cn-north-4.myhuaweicloud.com.
	Endpoints map[string]string
	// Credentials authenticate every call. They may be left out where Renew is set.
	Credentials Credentials
	// Renew reads the credentials: before the first call where there are none, and again after
	// they were refused. Nil where they cannot change. Where its error is an [*Error], that is the
	// error of the calls that need the credentials; any other counts as [Unavailable].
	Renew func(context.Context) (Credentials, error)
	// Connections is how many calls at once keep their connection for the next; default 32.
	Connections int
	// Rate is how many calls per second go out at the most; 0 for no limit but DDS's own.
	Rate float64
	// RequireManual looks each backup up first and deletes only a finished manual one.
	RequireManual bool
	// RetryPolicy decides about tries; default [DefaultRetryPolicy].
	RetryPolicy RetryPolicy
	// Transport carries the calls; nil for one of the client's own, over the network.
	Transport http.RoundTripper
	// Observe is told of every call; nil where nobody wants to know.
	Observe Observer
	// Now is the clock of the signature, the key lock and the pace; by default the wall clock.
	Now func() time.Time
}

// Client calls the DDS API. It is safe for use by many goroutines.
type Client struct {
	endpoints     map[string]string
	requireManual bool
	sender        *sender
	handle        handler
	handleIAM     handler // handle without the pace, which is about DDS
}

// handler is one link of the chain that a call passes.
type handler func(*call) (*response, error)

// call is a request on its way.
type call struct {
	*http.Request
	credentials Credentials
	answerLost  bool // a try may have done its work, though no answer to it was understood
}

// response is an answer read to its end.
type response struct {
	status int
	header http.Header
	body   []byte
}

// New returns a client. No call is made.
func New(o Options) (*Client, error) {
	endpoints := make(map[string]string, len(o.Endpoints))
	for region, address := range o.Endpoints {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			return nil, errors.New("dds: endpoint: expected an address like https://dds.cn-north-4.myhuaweicloud.com")
		}
		endpoints[region] = u.Scheme + "://" + u.Host
	}
	if o.Connections <= 0 {
		o.Connections = 32
	}
	if o.Now == nil {
		o.Now = wallClock
	}
	if o.RetryPolicy == nil {
		o.RetryPolicy = DefaultRetryPolicy
	}
	c := &Client{
		endpoints: endpoints, requireManual: o.RequireManual, sender: newSender(o.Transport, o.Connections),
	}
	// From the innermost outwards. Each try waits for its turn, and is signed anew.
	clock := &clock{machine: o.Now}
	c.handle = c.sender.send
	c.handle = signing(c.handle, clock.now)
	c.handle = parsing(c.handle, clock.now)
	if o.Observe != nil {
		c.handle = observing(c.handle, o.Observe)
	}
	c.handle = clock.correcting(c.handle) // within the lock: a wrong clock is not a wrong key
	lock := newKeyLock(o.Credentials, o.Renew, o.Now)
	c.handle = lock.locking(c.handle)
	budget := rate.NewLimiter(1, 2*o.Connections)
	c.handleIAM = retrying(c.handle, o.RetryPolicy, budget)
	c.handle = newPace(o.Rate, o.Now).pacing(c.handle) // around the lock: who waits here has not passed it
	c.handle = retrying(c.handle, o.RetryPolicy, budget)
	if o.Renew != nil {
		c.handle, c.handleIAM = lock.supplying(c.handle), lock.supplying(c.handleIAM)
	}
	c.handle, c.handleIAM = redacting(c.handle), redacting(c.handleIAM)
	return c, nil
}

// wallClock is the time without the monotonic clock, which stops while a function is frozen:
// five minutes must pass for a frozen function, too.
func wallClock() time.Time { return time.Now().Round(0) }

// Connect opens a connection to a region's DDS, so that the first call finds one. What fails
// here fails again at that call.
func (c *Client) Connect(ctx context.Context, region string) {
	if endpoint, ok := c.endpoints[region]; ok {
		c.sender.connect(ctx, endpoint)
	}
}

// CloseIdleConnections closes the connections that no call is using.
func (c *Client) CloseIdleConnections() { c.sender.closeIdle() }

// newCall returns a call to a path of DDS, whose segments must stay segments.
func (c *Client) newCall(ctx context.Context, method string, t Target, query url.Values, segments ...string) (*call, error) {
	endpoint, ok := c.endpoints[t.Region]
	if !ok {
		return nil, &Error{Class: Invalid, Message: fmt.Sprintf("region %q: no endpoint is configured for it", t.Region)}
	}
	path, err := joinPath(segments...)
	if err != nil {
		return nil, err
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, endpoint+path, nil)
	if err != nil {
		return nil, &Error{Class: Invalid, Message: "no request could be made", Err: &foreignError{err}}
	}
	r.Header.Set(headerProjectID, t.ProjectID)
	return &call{Request: r}, nil
}

// joinPath joins segments to a path and refuses one that would leave its place in it.
func joinPath(segments ...string) (string, error) {
	var path []byte
	for _, segment := range segments {
		if segment == "" || segment == "." || segment == ".." || strings.Contains(segment, "/") {
			return "", &Error{Class: Invalid, Message: "an id that is no path segment: it is empty, dots, or has a slash"}
		}
		path = append(path, '/')
		for i := range len(segment) {
			path = appendEncoded(path, segment[i])
		}
	}
	return string(path), nil
}
