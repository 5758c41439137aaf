package event

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dds-backup-delete/internal/deletion"
)

// maxHTTPTime is how long an HTTP request is worked: API Gateway gives up after 29 s.
const maxHTTPTime = 25 * time.Second

// MaxHTTPBody bounds, in bytes, the body of an HTTP request, as a load balancer does.
const MaxHTTPBody = 1 << 20

// Media types of what comes in and goes out.
const (
	mediaJSON        = "application/json"
	mediaEvent       = "application/cloudevents+json"
	mediaEventBatch  = "application/cloudevents-batch+json"
	mediaProblem     = "application/problem+json"
	acceptedInBodies = mediaJSON + ", " + mediaEvent + ", " + mediaEventBatch
)

// httpRequest is what the HTTP sources have in common.
type httpRequest struct {
	id, traceHeader, method, path string
	headers                       map[string]string // names in lower case
	attributes                    map[string]string // of a CloudEvent in binary mode; none of a call that is not one
	body                          []byte
	bodyErr                       string // why there is no body to read; empty where there is
}

// newHTTPRequest returns a request with the headers of all these maps, the earlier winning.
func newHTTPRequest(method string, headers ...map[string]string) *httpRequest {
	r := &httpRequest{method: method, headers: make(map[string]string)}
	for _, from := range headers {
		for name, value := range from {
			if name = strings.ToLower(name); r.headers[name] == "" {
				r.headers[name] = value
			}
		}
	}
	r.traceHeader = traceHeader(r.headers["x-amzn-trace-id"])
	r.attributes = binaryAttributes(r.headers)
	return r
}

// binaryAttributes are those of a CloudEvent in binary mode. The other modes have a type of their own.
func binaryAttributes(headers map[string]string) map[string]string {
	if strings.HasPrefix(headers["content-type"], "application/cloudevents") {
		return nil
	}
	found := make(map[string]string)
	for name, value := range headers {
		if attribute, ok := strings.CutPrefix(name, "ce-"); ok {
			found[attribute] = decodeHeader(value)
		}
	}
	return found
}

// binary reports whether a call is a CloudEvent in binary mode.
func (r *httpRequest) binary() bool { return len(r.attributes) > 0 }

// joined joins the values of each header, as HTTP allows.
func joined(multi map[string][]string) map[string]string {
	headers := make(map[string]string, len(multi))
	for name, values := range multi {
		headers[name] = strings.Join(values, ",")
	}
	return headers
}

// setBody takes the bytes of a body, or says why there are none.
func (r *httpRequest) setBody(body string, isBase64 bool) {
	if r.body = []byte(body); !isBase64 {
		return
	}
	var err error
	if r.body, err = base64.StdEncoding.DecodeString(body); err != nil {
		r.bodyErr = fmt.Sprintf("the body is %d characters that are not base64, as isBase64Encoded says", len(body))
	}
}

// setID takes the front's own id of the request, or that of the invocation.
func (r *httpRequest) setID(id string, in Invocation) {
	if r.id = id; id == "" {
		r.id = in.ID
	}
}

// base is what the requests of a call have in common.
func (r *httpRequest) base() deletion.Request {
	return deletion.Request{ID: r.id, TraceParent: traceParent(r.headers["traceparent"]), TraceHeader: r.traceHeader}
}

// ask is what a call asks for, and how its caller wants to be answered.
type ask struct {
	requests []deletion.Request
	answer   func([]deletion.Outcome) *httpReply
}

// route finds what an HTTP request asks for: deletions, or an answer that needs none.
//
//	DELETE /backups/{backup_id}
//	DELETE /v3/{project_id}/backups/{backup_id}
//	POST   /deletions                            {"backup_id": "…"}, a list, or CloudEvents
//	POST   /                                     CloudEvents
func (d *Decoder) route(r *httpRequest) (ask, *httpReply) {
	request := r.base()
	path := strings.TrimSuffix(strings.TrimPrefix(r.path, "/"), "/")
	segments := strings.Split(path, "/")
	allow := http.MethodDelete
	switch {
	case len(segments) == 2 && segments[0] == "backups":
		request.BackupID = unescape(segments[1])
	case len(segments) == 4 && segments[0] == "v3" && segments[2] == "backups":
		request.ProjectID, request.BackupID = unescape(segments[1]), unescape(segments[3])
		if request.ProjectID == "" {
			request.Err = &deletion.Error{Class: deletion.ClassInvalid, Message: "project_id: empty in the path"}
		}
	case path == "deletions" || path == "":
		allow = http.MethodPost
	default:
		return ask{}, r.failure(http.StatusNotFound,
			"want DELETE /backups/{backup_id}, DELETE /v3/{project_id}/backups/{backup_id} or POST /deletions")
	}
	switch {
	case r.method != allow:
		reply := r.failure(http.StatusMethodNotAllowed, "want "+allow)
		reply.header["Allow"] = allow
		return ask{}, reply
	case allow == http.MethodPost:
		return d.routeBody(r, path == "")
	case r.binary(): // whoever sent it told others of something, and did not ask us
		request = refuse(r.base(), "it is a CloudEvent, want a plain request").requests[0]
	}
	return ask{[]deletion.Request{request}, answerOne}, nil
}

// routeBody finds what the body of a POST asks for.
func (d *Decoder) routeBody(r *httpRequest, onlyEvents bool) (ask, *httpReply) {
	media := r.media(onlyEvents)
	switch {
	case media == "":
		reply := r.failure(http.StatusUnsupportedMediaType, "want Content-Type: "+mediaJSON+" (below /deletions) or a CloudEvent")
		reply.header["Accept"] = acceptedInBodies
		return ask{}, reply
	case len(r.body) > MaxHTTPBody:
		return ask{}, r.failure(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has %d bytes, want %d at most", len(r.body), MaxHTTPBody))
	case r.bodyErr != "":
		return ask{refuse(r.base(), r.bodyErr).requests, answerOne}, nil
	case media == mediaEventBatch:
		return d.routeBatch(r)
	case media == mediaEvent || r.binary():
		return d.routeEvents(r, []json.RawMessage{r.body})
	}
	c := d.readList(r.body, r.base())
	switch {
	case c.echo != "":
		return ask{}, r.failure(http.StatusBadRequest, c.echo)
	case c.list:
		return ask{c.requests, answerList}, nil
	default:
		return ask{c.requests, answerOne}, nil
	}
}

// media is the media type of a body that can be read, and empty of another. An event in binary
// mode may leave out that it is JSON.
func (r *httpRequest) media(onlyEvents bool) string {
	given := r.headers["content-type"]
	if given == "" && r.binary() {
		return mediaJSON
	}
	media, _, err := mime.ParseMediaType(given)
	switch {
	case err != nil:
		return ""
	case media == mediaJSON && onlyEvents && !r.binary():
		return ""
	case media == mediaJSON, media == mediaEvent, media == mediaEventBatch:
		return media
	default:
		return ""
	}
}

// routeBatch reads CloudEvents in batch mode.
func (d *Decoder) routeBatch(r *httpRequest) (ask, *httpReply) {
	var events []json.RawMessage
	err := parse(r.body)
	if err == nil {
		events, err = arrayOf(r.body)
	}
	if err == nil && len(events) > maxList {
		err = fmt.Errorf("%d events, want %d at most", len(events), maxList)
	}
	if err != nil {
		return ask{}, r.failure(http.StatusBadRequest, "the body is "+err.Error())
	}
	return d.routeEvents(r, events)
}

// routeEvents reads CloudEvents. Events of ours among them are left alone.
func (d *Decoder) routeEvents(r *httpRequest, events []json.RawMessage) (ask, *httpReply) {
	var a ask
	several := len(events) != 1
	for i, body := range events {
		base := r.base()
		if several {
			base.Field = "[" + strconv.Itoa(i) + "]"
		}
		var c content
		if r.binary() || isEvent(body) {
			c = d.readBinary(body, base, r.attributes)
		} else {
			c = judge(refuse(base, "the body is no CloudEvent in structured mode, as its Content-Type says"), body)
		}
		several = several || c.list
		if c.echo != "" && !several {
			return ask{}, r.failure(http.StatusBadRequest, c.echo)
		}
		if a.requests = append(a.requests, c.requests...); len(a.requests) > maxList {
			return ask{}, r.failure(http.StatusRequestEntityTooLarge, fmt.Sprintf("the events ask for more than %d deletions", maxList))
		}
	}
	a.answer = func(outcomes []deletion.Outcome) *httpReply { return r.answerEvents(outcomes, several) }
	return a, nil
}

// isEvent reports whether a body is a CloudEvent in structured mode, or no JSON object at all,
// which is told elsewhere.
func isEvent(body []byte) bool {
	members, err := parseObject(body)
	return err != nil || members.has("specversion")
}

// unescape decodes a path segment once. Some fronts hand the path on decoded and some do not;
// with the characters that an id may have, the two cannot be told apart, nor need they be.
func unescape(segment string) string {
	if plain, err := url.PathUnescape(segment); err == nil {
		return plain
	}
	return segment // it holds a "%", which no id does
}

// httpBatch returns the batch of one HTTP call, whose replies are written by encode.
func (d *Decoder) httpBatch(r *httpRequest, encode func(reply *httpReply, body string) any) *Batch {
	write := func(reply *httpReply) ([]byte, error) {
		body, err := json.Marshal(reply.body)
		if err != nil {
			return nil, err
		}
		return json.Marshal(encode(reply, string(body)))
	}
	a, reply := d.route(r)
	return &Batch{Limit: maxHTTPTime, Requests: a.requests, reply: func(_ *Batch, outcomes []deletion.Outcome) ([]byte, error) {
		if reply != nil {
			return write(reply)
		}
		return write(a.answer(outcomes))
	}}
}
