package httpapi

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/strictjson"
)

// request is a call as it came in.
type request struct {
	*http.Request
	reader     body.Reader // of bodies
	basePath   string      // that paths may begin with
	front      Front
	path       string            // neither decoded nor cleaned
	parameters []Parameter       // of the query
	attributes map[string]string // of a CloudEvent in binary mode; none of another call
	body       []byte            // without a byte order mark
	size       int64             // of the whole body; more than the body if that was cut off
	hasBody    bool              // something was sent, be it a byte order mark alone
}

// maxMark is the length, in bytes, of a byte order mark, which is not part of a body.
const maxMark = 3

// newRequest reads the body of a call; the second result refuses a body that cannot be read.
func newRequest(r *http.Request, reader body.Reader, basePath string) (*request, *Call) {
	front, _ := r.Context().Value(frontKey{}).(Front) // zero without one
	in := &request{
		Request: r, reader: reader, basePath: basePath, front: front,
		path: r.URL.RawPath, attributes: binaryAttributes(r.Header),
	}
	if in.path == "" {
		in.path = r.URL.EscapedPath()
	}
	if r.Body == nil || r.Body == http.NoBody {
		return in, nil
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+maxMark+1))
	if err != nil {
		return in, in.refuse(http.StatusBadRequest, "the body cannot be read to its end")
	}
	in.body = strictjson.TrimMark(text)
	in.hasBody = len(text) > 0
	in.size = max(r.ContentLength, int64(len(text))) - int64(len(text)-len(in.body))
	return in, nil
}

// binaryAttributes returns the attributes of a CloudEvent in binary mode. The other modes have a type of their own.
func binaryAttributes(header http.Header) map[string]string {
	if strings.HasPrefix(strings.ToLower(joined(header["Content-Type"])), "application/cloudevents") {
		return nil
	}
	var found map[string]string
	for name, values := range header {
		const prefix = "ce-"
		if len(name) < len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
			continue
		}
		if found == nil {
			found = make(map[string]string)
		}
		// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#3132-http-header-values
		found[strings.ToLower(name[len(prefix):])] = Unescape(joined(values))
	}
	return found
}

// isBinary reports whether a call is a CloudEvent in binary mode.
func (r *request) isBinary() bool { return len(r.attributes) > 0 }

// header returns the value of a header. Different values are joined, as HTTP allows.
func (r *request) header(name string) string { return joined(r.Header.Values(name)) }

func joined(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	all := ""
	for _, value := range values {
		switch {
		case all == "":
			all = value
		case value != "" && !strings.Contains(","+all+",", ","+value+","):
			all += "," + value
		}
	}
	return all
}

// base is what the requests of a call have in common.
func (r *request) base() deletion.Request {
	return deletion.Request{
		Source: Source, // of a server; a front is its own source
		ID:     r.front.RequestID, SentAt: r.front.SentAt, By: r.front.By,
		TraceParent: body.TraceParent(r.header("Traceparent")), TraceHeader: body.TraceHeader(r.header("X-Amzn-Trace-Id")),
	}
}

// Unescape decodes a text once, if it can be decoded. Some fronts pass a path on decoded and some do
// not; with the characters that an id may have, the two look the same, which does no harm.
func Unescape(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// problem returns the response that tells what is wrong with a call.
func (r *request) problem(status int, detail string) *Response {
	return problemResponse(problem{Status: status, Detail: detail, RequestID: r.front.RequestID})
}

// refuse returns a call that asks for nothing and is answered by a problem.
func (r *request) refuse(status int, detail string) *Call { return answered(r.problem(status, detail)) }

// notAllowed refuses a call by another method than these.
func (r *request) notAllowed(allow string) *Call {
	response := r.problem(http.StatusMethodNotAllowed, fmt.Sprintf("the method %q is not for this path; expected %s", strictjson.Shorten(r.Method), allow))
	response.Header["Allow"] = allow
	return answered(response)
}
