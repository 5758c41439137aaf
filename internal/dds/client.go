// Package dds is a client of the calls that deleting a manual backup needs of the Huawei
// Cloud Document Database Service API.
//
// A call passes a chain of small handlers, one concern each: credentials, retry, pace, key lock,
// clock, parse, sign, send; see [New]. Its errors are [*deletion.Error] values.
package dds

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/time/rate"
)

// Options are the settings of a [Client].
type Options struct {
	// Endpoints are the addresses of DDS by region, for example https://dds.cn-north-4.myhuaweicloud.com.
	Endpoints map[string]string
	// Credentials authenticate every call. They may be empty if Renew is set.
	Credentials Credentials
	// Renew reads the credentials: before the first call if there are none, and again after they
	// were refused. Nil if they cannot change. If its error is a [*deletion.Error], the calls that
	// need the credentials return it; any other error counts as [deletion.ClassUnavailable].
	Renew func(context.Context) (Credentials, error)
	// Connections is how many connections are kept open between calls; default 32.
	Connections int
	// Rate is the most calls per second; 0 if only DDS limits them.
	Rate float64
	// RequireManual looks each backup up first and deletes only a finished manual one.
	RequireManual bool
	// RetryPolicy decides which tries are repeated; default [DefaultRetryPolicy].
	RetryPolicy RetryPolicy
	// Transport sends the calls; nil for the network.
	Transport http.RoundTripper
	// Observe is called after every call; nil if it is not needed.
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
	handleIAM     handler // handle without the pace, which is for DDS only
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
	// From the innermost outwards. Each try waits for its turn and is signed again.
	clock := &clock{machine: o.Now}
	c.handle = c.sender.send
	c.handle = signing(c.handle, clock.now)
	c.handle = parsing(c.handle, clock.now)
	if o.Observe != nil {
		c.handle = observing(c.handle, o.Observe)
	}
	c.handle = clock.correcting(c.handle) // inside the lock: a wrong clock is not a wrong key
	lock := newKeyLock(o.Credentials, o.Renew, o.Now)
	c.handle = lock.locking(c.handle)
	budget := rate.NewLimiter(1, 2*o.Connections)
	c.handleIAM = retrying(c.handle, o.RetryPolicy, budget)
	c.handle = newPace(o.Rate, o.Now).pacing(c.handle) // outside the lock: a waiting call has not passed it
	c.handle = retrying(c.handle, o.RetryPolicy, budget)
	if o.Renew != nil {
		c.handle, c.handleIAM = lock.supplying(c.handle), lock.supplying(c.handleIAM)
	}
	return c, nil
}

// Connect opens a connection to a region's DDS for the first call. It reports no error, because
// that call will.
func (c *Client) Connect(ctx context.Context, region string) {
	if endpoint, ok := c.endpoints[region]; ok {
		c.sender.connect(ctx, endpoint)
	}
}

// CloseIdleConnections closes the connections that no call is using.
func (c *Client) CloseIdleConnections() { c.sender.closeIdle() }
