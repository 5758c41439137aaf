// Package dds is a client of the one call that the Huawei Cloud Document Database Service
// API is needed for here: deleting a manual backup.
//
// A call passes a chain of small handlers, one concern each; see [New].
package dds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxBody bounds, in bytes, what is read of an answer. A success is a hundred bytes.
const maxBody = 1 << 20

// Options are the settings of a [Client].
type Options struct {
	// Endpoint is the address of DDS, as https://dds.cn-north-4.myhuaweicloud.com, without a path.
	Endpoint string
	// Credentials sign every call.
	Credentials Credentials
	// Connections is how many calls at once keep their connection for the next; default 32.
	Connections int
	// Now is the clock of the signature; default [time.Now].
	Now func() time.Time
}

// Client calls the DDS API. It is safe for use by many goroutines.
type Client struct {
	endpoint  string
	transport *http.Transport
	handle    handler
}

// handler is one link of the chain that a call passes.
type handler func(*http.Request) (*response, error)

// response is an answer read to its end.
type response struct {
	status int
	header http.Header
	body   []byte
}

// New returns a client of the DDS at o.Endpoint. No call is made.
func New(o Options) (*Client, error) {
	endpoint, err := url.Parse(o.Endpoint)
	if err != nil || endpoint.Host == "" || (endpoint.Scheme != "https" && endpoint.Scheme != "http") {
		return nil, errors.New("dds: endpoint: want an address like https://dds.cn-north-4.myhuaweicloud.com")
	}
	if o.Connections <= 0 {
		o.Connections = 32
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Client{
		endpoint: endpoint.Scheme + "://" + endpoint.Host,
		transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout: 5 * time.Second,
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: o.Connections,
			IdleConnTimeout:     30 * time.Second,
		},
	}
	// From the outermost inwards. Retry will stand around signing, so that each try is signed anew.
	c.handle = parsing(signing(c.send, func() Credentials { return o.Credentials }, o.Now))
	return c, nil
}

// DeleteBackup starts the deletion of a manual backup and returns the id of the job that
// does it. An empty job id with no error means that DDS took the call but named no job.
// The error is always an [*Error].
//
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_api_0028.html
func (c *Client) DeleteBackup(ctx context.Context, projectID, backupID string) (jobID string, err error) {
	path, err := joinPath("v3", projectID, "backups", backupID)
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, c.endpoint+path, nil)
	if err != nil {
		return "", &Error{Class: Invalid, Message: "no request could be made", Err: err}
	}
	r.Header.Set(headerProjectID, projectID)
	resp, err := c.handle(r)
	if err != nil {
		return "", err
	}
	var body struct {
		JobID *string `json:"job_id"`
	}
	if err := json.Unmarshal(resp.body, &body); err != nil {
		return "", &Error{
			Class: Unavailable, Message: "a success that is not JSON", StatusCode: resp.status,
			RequestID: printable(resp.header.Get("X-Request-Id")), AnswerLost: true,
		}
	}
	if body.JobID == nil {
		return "", nil
	}
	return printable(*body.JobID), nil
}

// CloseIdleConnections closes the connections that no call is using.
func (c *Client) CloseIdleConnections() { c.transport.CloseIdleConnections() }

// send is the innermost handler: it puts the request on the wire and reads the answer.
// No redirect is followed: a signed request is for the host it was signed for.
func (c *Client) send(r *http.Request) (*response, error) {
	res, err := c.transport.RoundTrip(r)
	if err != nil {
		return nil, &Error{Class: Unavailable, Message: "no answer", AnswerLost: true, Err: err}
	}
	defer res.Body.Close() //nolint:errcheck // the body was read
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = fmt.Errorf("longer than %d bytes", maxBody)
	}
	if err != nil {
		return nil, &Error{
			Class: Unavailable, Message: "the answer broke off", StatusCode: res.StatusCode, AnswerLost: true, Err: err,
		}
	}
	return &response{status: res.StatusCode, header: res.Header, body: body}, nil
}

// joinPath joins segments to a path and refuses one that would leave its place in it.
func joinPath(segments ...string) (string, error) {
	var path []byte
	for _, segment := range segments {
		if segment == "" || segment == "." || segment == ".." {
			return "", &Error{Class: Invalid, Message: fmt.Sprintf("a path segment is %q", segment)}
		}
		path = append(path, '/')
		for i := range len(segment) {
			path = appendEncoded(path, segment[i])
		}
	}
	return string(path), nil
}
