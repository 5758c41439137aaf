// Package dds is a client of the calls that deleting a manual backup needs of the Huawei
// Cloud Document Database Service API.
//
// A call passes a chain of small handlers, one concern each: credentials, retry, pace, key lock,
// clock, parse, sign, send; see [New]. Its errors are [*deletion.Error] values.
package dds

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/transport"
)

// Options are the settings of a [Client].
type Options struct {
	// Endpoints are the addresses of DDS by region, for example https://dds.cn-north-4.myhuaweicloud.com.
	Endpoints map[string]string
	// Credentials authenticate every call. They may be empty if Renew is set. If both are empty, calls are
	// authenticated with the credentials in their context; see [WithCredentials].
	Credentials Credentials
	// Renew reads the credentials: before the first call if there are none, and again after they
	// were refused. Nil if they cannot change. If its error is a [*deletion.Error], the calls that
	// need the credentials return it; any other error counts as [deletion.ClassUnavailable].
	Renew func(context.Context) (Credentials, error)
	// Connections is how many connections are kept open between calls; default 32.
	Connections int
	// Rate is the most calls per second; 0 if only DDS limits them.
	Rate float64
	// RetryPolicy decides which tries are repeated; default [DefaultRetryPolicy].
	RetryPolicy RetryPolicy
	// Transport sends the calls; nil for the network.
	Transport http.RoundTripper
	// Observe is called after every try; nil if it is not needed.
	Observe Observer
	// Now is the clock of the signature, the key lock and the pace; by default the wall clock.
	Now func() time.Time
}

// Client calls the DDS API. It is safe for use by many goroutines.
type Client struct {
	endpoints  map[string]string
	transport  http.RoundTripper
	handle     handler
	handleIAM  handler // handle without the pace, which is for DDS only
	handleOnce handler // reads a backup list with one try, which is not observed
	handlePost handler // calls a service that is not DDS with one try, which is not observed
	locks      *keyLocks
	pace       *pace
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
	o.Connections = cmp.Or(max(o.Connections, 0), 32)
	if o.Now == nil {
		o.Now = wallClock
	}
	if o.RetryPolicy == nil {
		o.RetryPolicy = DefaultRetryPolicy
	}
	if o.Transport == nil {
		o.Transport = transport.New(transport.Options{Connections: o.Connections})
	}
	c := &Client{endpoints: endpoints, transport: o.Transport}
	// From the innermost outwards. Each try waits for its turn and is signed again.
	corrected := &clock{machine: o.Now}
	h := parsing(signing(sending(o.Transport), corrected.now), corrected.now)
	c.locks = &keyLocks{now: o.Now}
	if o.Credentials != (Credentials{}) || o.Renew != nil {
		c.locks.own = newKeyLock(o.Credentials, o.Renew, o.Now)
	}
	once := corrected.correcting(h)
	c.handleOnce = c.locks.supplying(c.locks.locking(readingList(once)))
	c.handlePost = c.locks.supplying(c.locks.locking(once))
	if o.Observe != nil {
		h = observing(h, o.Observe)
	}
	h = corrected.correcting(h) // inside the lock: a wrong clock is not a wrong key
	h = c.locks.locking(h)
	budget := rate.NewLimiter(1, 2*o.Connections)
	c.handleIAM = c.locks.supplying(retrying(h, o.RetryPolicy, budget))
	c.pace = newPace(o.Rate, o.Now)
	h = c.pace.pacing(h) // outside the lock: a waiting call has not passed it
	c.handle = c.locks.supplying(retrying(h, o.RetryPolicy, budget))
	return c, nil
}

// Connect opens n connections to a region's DDS, all at once. One of them carries a signed call that
// reads the shortest backup list of the project, because its answer proves the key: otherwise the first
// call of a batch goes alone (see [keyLock]). A key without the permission dds:backup:list is proven, too.
// The call is left out if the key is proven, as by the look-up of the project, if calls are counted
// ([Options].Rate), or if there are no credentials yet. Connect reports no error, because the calls that need
// the connections will.
func (c *Client) Connect(ctx context.Context, region, projectID string, n int) {
	endpoint, ok := c.endpoints[region]
	if !ok || n < 1 {
		return
	}
	r, err := c.newProjectCall(ctx, http.MethodGet, region, projectID, url.Values{"limit": {"1"}}, "backups")
	lock, none := c.locks.of(ctx)
	if err != nil || none != nil || c.pace.ceiling != rate.Inf || lock.isProven() {
		transport.Open(ctx, c.transport.RoundTrip, endpoint, n)
		return
	}
	var others sync.WaitGroup
	others.Go(func() { transport.Open(ctx, c.transport.RoundTrip, endpoint, n-1) })
	_, err = c.handleOnce(r)
	c.pace.noteAnswer(r, err)
	if !r.last.sent { // the key is held back
		transport.Open(ctx, c.transport.RoundTrip, endpoint, 1)
	}
	others.Wait()
}

// Open opens n connections to another service of Huawei Cloud at its address, all at once, for [Client.Post].
func (c *Client) Open(ctx context.Context, address string, n int) {
	transport.Open(ctx, c.transport.RoundTrip, address, n)
}

// readingList returns a handler that takes only a backup list for a success. A proxy, for example, answers
// a GET with a page, which proves no key.
func readingList(next handler) handler {
	return func(c *call) (*response, error) {
		resp, err := next(c)
		if err != nil {
			return nil, err
		}
		var body struct{ Backups *[]json.RawMessage }
		if json.Unmarshal(resp.body, &body) != nil || body.Backups == nil {
			return nil, unreadable(resp)
		}
		return resp, nil
	}
}

// CloseIdleConnections closes the connections that no call is using, if the transport keeps any.
func (c *Client) CloseIdleConnections() {
	(&http.Client{Transport: c.transport}).CloseIdleConnections()
}

// newProjectCall returns a call to a path of DDS below that of a project.
func (c *Client) newProjectCall(ctx context.Context, method, region, projectID string, query url.Values, segments ...string) (*call, error) {
	endpoint, ok := c.endpoints[region]
	if !ok {
		return nil, invalid(fmt.Sprintf("region %q: no endpoint is configured for it", region))
	}
	request, err := newCall(ctx, method, endpoint, query, nil, append([]string{"v3", projectID}, segments...)...)
	if err == nil {
		request.Header.Set(headerProjectID, projectID)
	}
	return request, err
}

// newCall returns a call to the path that the segments form, with a body of JSON if it is not empty. It refuses a
// segment that would change the structure of the path. A colon, for example in a URN, goes over the wire as it is, like
// that of the official SDK; only in the signature it is encoded.
func newCall(ctx context.Context, method, address string, query url.Values, body []byte, segments ...string) (*call, error) {
	for _, segment := range segments {
		if segment == "" || segment == "." || segment == ".." || strings.Contains(segment, "/") {
			return nil, invalid("an id that is no path segment: it is empty, dots, or has a slash")
		}
		address += "/" + strings.ReplaceAll(escape(segment), "%3A", ":") //nolint:perfsprint // a few short ones
	}
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body)) // which has a copy for each try
	if err != nil {
		return nil, invalid("no request could be made: " + err.Error())
	}
	c := &call{Request: r, bodySHA256: emptyBodySHA256}
	if len(body) > 0 {
		digest := sha256.Sum256(body)
		c.bodySHA256 = hex.EncodeToString(digest[:])
		r.Header.Set("Content-Type", "application/json;charset=UTF-8") // as the official SDK says it
	}
	return c, nil
}

// fetch sends a call and reads the JSON of its answer into the value that body points to.
func fetch(send handler, c *call, body any) (*response, error) {
	resp, err := send(c)
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(resp.body, body) != nil {
		return nil, unreadable(resp)
	}
	return resp, nil
}

// read is fetch for a call to DDS that changes nothing, so its error has no MaybeSent. The error of a caller
// without the permission names it.
func (c *Client) read(request *call, permission string, body any) (*response, error) {
	resp, err := fetch(c.handle, request, body)
	e, failed := errors.AsType[*deletion.Error](err)
	if failed {
		e.MaybeSent = false
		namePermission(e, "the look-up (REQUIRE_MANUAL, FOLLOW)", permission)
	}
	return resp, err
}
