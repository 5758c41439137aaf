package event

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/httpapi"
)

// call is an HTTP call that a front received.
type call struct {
	method, path   string // the path is neither decoded nor cleaned
	headers, query []httpapi.Parameter
	parameters     map[string]string // those of the path that the front found
	requestID      string            // empty if the front gives it none
}

// batch returns the batch of a call. Its reply is what encode makes of the response and its body, in
// JSON, and has no more bytes than maxReply. It is the last to read the envelope.
func (d *Decoder) batch(c call, e envelope, in Invocation, maxReply int, encode func(response *httpapi.Response, body string) any) *Batch {
	r := c.request(e, in, maxReply)
	answered := d.API().Read(r)
	write := func(response *httpapi.Response) ([]byte, error) {
		return json.Marshal(encode(response, string(response.Body())))
	}
	return &Batch{Limit: httpapi.MaxTime, Requests: answered.Requests, reply: func(_ *Batch, outcomes []deletion.Outcome) ([]byte, error) {
		response := answered.Answer(outcomes)
		text, err := write(response)
		if err == nil && len(text) > maxReply {
			return write(response.Short())
		}
		return text, err
	}}
}

// request returns a call as the HTTP API reads it.
func (c call) request(e envelope, in Invocation, maxReply int) *http.Request {
	front := httpapi.Front{RequestID: c.requestID, Parameters: c.parameters, MaxResponse: maxReply}
	if !body.IsID(front.RequestID) {
		front.RequestID = in.ID
	}
	text := e.body()
	if e.boolean("isBase64Encoded") {
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			front.BodyFault = fmt.Sprintf("the body is %d characters that are not base64, as isBase64Encoded says", len(text))
		}
		if len(decoded) > 0 { // else the text is line ends alone, which base64 ignores and a DELETE does not
			text = string(decoded)
		}
	}
	if *e.err != nil {
		front.Fault = (*e.err).Error()
	}
	r := &http.Request{Method: c.method, URL: &url.URL{Path: httpapi.Unescape(c.path), RawPath: c.path, RawQuery: joinQuery(c.query)}, Header: header(c.headers)}
	if len(text) > 0 {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	}
	return r.WithContext(httpapi.WithFront(context.Background(), front))
}

// header returns headers by their canonical names. One array holds all values.
func header(headers []httpapi.Parameter) http.Header {
	all := make(http.Header, len(headers))
	values := make([]string, len(headers))
	for i, h := range headers {
		name := textproto.CanonicalMIMEHeaderKey(h.Name)
		if before := all[name]; before != nil {
			all[name] = append(before, h.Value)
			continue
		}
		values[i] = h.Value
		all[name] = values[i : i+1 : i+1]
	}
	return all
}
