package event

import (
	"bytes"
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
	query                         []pair
	parameters                    map[string]string // the path parameters that the front found
	attributes                    map[string]string // of a CloudEvent in binary mode; none of a call that is not one
	body                          []byte
	hasBody                       bool   // something was sent, be it blanks alone
	bodyErr                       string // why there is no body to read; empty where there is
	err                           error  // why the front's envelope cannot be read; nil where it can
}

// newHTTPRequest returns a request with these headers. Different values of one header are joined, as
// HTTP allows.
func newHTTPRequest(method string, headers []pair) *httpRequest {
	r := &httpRequest{method: method, headers: make(map[string]string, len(headers))}
	for _, h := range headers {
		name := strings.ToLower(h.name)
		switch before := r.headers[name]; {
		case before == "":
			r.headers[name] = h.value
		case h.value != "" && !strings.Contains(","+before+",", ","+h.value+","):
			r.headers[name] = before + "," + h.value
		}
	}
	r.traceHeader = traceHeader(r.headers["x-amzn-trace-id"])
	r.attributes = binaryAttributes(r.headers)
	return r
}

// binaryAttributes are those of a CloudEvent in binary mode. The other modes have a type of their own.
func binaryAttributes(headers map[string]string) map[string]string {
	if strings.HasPrefix(strings.ToLower(headers["content-type"]), "application/cloudevents") {
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

// setBody takes the bytes of a body, without a byte order mark, or says why there are none.
func (r *httpRequest) setBody(body string, isBase64 bool) {
	r.body, r.hasBody = []byte(body), body != ""
	if isBase64 {
		var err error
		if r.body, err = base64.StdEncoding.DecodeString(body); err != nil {
			r.bodyErr = fmt.Sprintf("the body is %d characters that are not base64, as isBase64Encoded says", len(body))
		}
	}
	r.body = bytes.TrimPrefix(r.body, []byte("\ufeff"))
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

// refused is a call whose only request is rejected.
func (r *httpRequest) refused(why string) ask { return ask{refuse(r.base(), why).requests, answerOne} }

// route finds what an HTTP request asks for: deletions, or an answer that needs none. The path has no
// base path any more. It is not cleaned: what is not spelled like one of these is none of them.
//
//	DELETE /backups/{backup_id}
//	DELETE /v3/{project_id}/backups/{backup_id}
//	POST   /deletions                            {"backup_id": "…"}, a list, or CloudEvents
//	POST   /                                     CloudEvents
//	GET    /healthz
func (d *Decoder) route(r *httpRequest) (ask, *httpReply) {
	if r.err != nil {
		return ask{}, r.failure(http.StatusBadRequest, "the event of the HTTP front: "+r.err.Error())
	}
	path := strings.TrimSuffix(strings.TrimPrefix(withoutPrefix(r.path, d.BasePath), "/"), "/")
	segments := strings.Split(path, "/")
	switch {
	case len(segments) == 2 && segments[0] == "backups":
		return r.routeDelete(nil, segments[1])
	case len(segments) == 4 && segments[0] == "v3" && segments[2] == "backups":
		project := unescape(segments[1])
		return r.routeDelete(&project, segments[3])
	case path == "deletions", path == "":
		return d.routePost(r, path == "")
	case path == "healthz":
		return ask{}, r.health()
	default:
		return ask{}, r.failure(http.StatusNotFound, d.unknownPath(r.path))
	}
}

// unknownPath says which paths there are.
func (d *Decoder) unknownPath(path string) string {
	base := "HTTP_BASE_PATH, which is not set, would add a prefix"
	if d.BasePath != "" {
		base = fmt.Sprintf("each may be prefixed with HTTP_BASE_PATH, which is %q", d.BasePath)
	}
	return fmt.Sprintf("there is no path %q; expected DELETE /backups/{backup_id}, DELETE /v3/{project_id}/backups/{backup_id}, "+
		"POST /deletions, POST / or GET /healthz; %s", shorten(path), base)
}

// health answers a load balancer that asks whether its target is there.
func (r *httpRequest) health() *httpReply {
	if r.method != http.MethodGet && r.method != http.MethodHead {
		return r.notAllowed("GET, HEAD")
	}
	return jsonReply(http.StatusOK, mediaJSON, health{"ok"})
}

// routeDelete finds what a DELETE asks for. Its path says it, and the query what the path leaves out.
// The project is nil where the path has none.
func (r *httpRequest) routeDelete(project *string, segment string) (ask, *httpReply) {
	if r.method != http.MethodDelete {
		return ask{}, r.notAllowed(http.MethodDelete)
	}
	request := r.base()
	request.BackupID = unescape(segment)
	if project != nil {
		request.ProjectID = *project
	}
	if r.contradicts("project_id", request.ProjectID) || r.contradicts("backup_id", request.BackupID) {
		return ask{}, r.failure(http.StatusBadRequest, "the event of the HTTP front: pathParameters: not what the path says")
	}
	query, err := parseQuery(r.query)
	if err == nil {
		err = query.addTo(&request, "the path")
	}
	switch {
	case r.binary(): // its sender reports something to others and did not ask for a deletion
		return r.refused("it is a CloudEvent; expected a plain request"), nil
	case r.hasBody:
		return r.refused("the body: a DELETE takes none; expected the request in the path, or POST /deletions"), nil
	case project != nil && *project == "":
		return r.refused("project_id: empty in the path"), nil
	case err != nil:
		return r.refused(err.Error()), nil
	}
	return ask{[]deletion.Request{request}, answerOne}, nil
}

// contradicts reports whether a path parameter is there and is not the value that the path has.
func (r *httpRequest) contradicts(parameter, value string) bool {
	given, ok := r.parameters[parameter]
	return ok && given != value && unescape(given) != value
}

// routePost finds what a POST asks for. Its body says it, and the query what the body leaves out.
func (d *Decoder) routePost(r *httpRequest, onlyEvents bool) (ask, *httpReply) {
	if r.method != http.MethodPost {
		return ask{}, r.notAllowed(http.MethodPost)
	}
	media, err := r.media(onlyEvents)
	if err != nil {
		reply := r.failure(http.StatusUnsupportedMediaType, err.Error())
		reply.header["Accept"] = acceptedInBodies
		return ask{}, reply
	}
	query, err := parseQuery(r.query)
	if err != nil {
		return r.refused(err.Error()), nil
	}
	a, reply := d.routeBody(r, media)
	if err := query.addToAll(a.requests, r.body); err != nil {
		return r.refused(err.Error()), nil
	}
	return a, reply
}

// routeBody finds what the body of a POST asks for.
func (d *Decoder) routeBody(r *httpRequest, media string) (ask, *httpReply) {
	switch {
	case len(r.body) > MaxHTTPBody:
		return ask{}, r.failure(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has %d bytes; expected %d at most", len(r.body), MaxHTTPBody))
	case r.bodyErr != "":
		return r.refused(r.bodyErr), nil
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

// media returns the media type of a body that can be read. An event in binary mode may leave out that
// it is JSON; another body may not, since a browser sends one without a type across sites without asking.
func (r *httpRequest) media(onlyEvents bool) (string, error) {
	header := r.headers["content-type"]
	if header == "" && r.binary() {
		return mediaJSON, nil
	}
	want := acceptedInBodies
	if onlyEvents {
		want = mediaEvent + ", " + mediaEventBatch
	}
	if header == "" {
		return "", fmt.Errorf("Content-Type: missing; expected one of %s", want)
	}
	media, err := contentType(header)
	switch {
	case err != nil:
		return "", fmt.Errorf("Content-Type: %w; expected one of %s", err, want)
	case media == mediaJSON && (!onlyEvents || r.binary()), media == mediaEvent, media == mediaEventBatch:
		return media, nil
	default:
		return "", fmt.Errorf("Content-Type: %q; expected one of %s", shorten(media), want)
	}
}

// contentType returns the media type that a header names, in lower case. Fronts join a header that was
// sent twice, so that it may be a list.
func contentType(header string) (media string, err error) {
	parts := []string{header}
	if _, _, err := mime.ParseMediaType(header); err != nil { // else a comma stands in a quoted parameter
		parts = strings.Split(header, ",")
	}
	for _, part := range parts {
		got, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			return "", fmt.Errorf("%q cannot be read", shorten(strings.TrimSpace(part)))
		}
		if media != "" && got != media {
			return "", fmt.Errorf("both %q and %q", shorten(media), shorten(got))
		}
		switch charset, given := parameters["charset"]; {
		case !given, strings.EqualFold(charset, "utf-8"), strings.EqualFold(charset, "utf8"), strings.EqualFold(charset, "us-ascii"):
			media = got
		default:
			return "", fmt.Errorf("charset %q is not supported, only utf-8", shorten(charset))
		}
	}
	return media, nil
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

// httpBatch returns the batch of one HTTP call, whose replies are written by encode and have no more
// bytes than maxReply.
func (d *Decoder) httpBatch(r *httpRequest, maxReply int, encode func(reply *httpReply, body string) any) *Batch {
	write := func(reply *httpReply) ([]byte, error) {
		if r.method == http.MethodHead { // whose replies have no body
			return json.Marshal(encode(reply, ""))
		}
		body, err := json.Marshal(reply.body)
		if err != nil {
			return nil, err
		}
		return json.Marshal(encode(reply, string(body)))
	}
	a, reply := d.route(r)
	if most := longestReply(a.requests); most > maxReply {
		a, reply = ask{}, r.failure(http.StatusRequestEntityTooLarge,
			fmt.Sprintf("the reply to %d deletions with such ids may have %d bytes, and this front takes %d; expected fewer deletions, or shorter ids", len(a.requests), most, maxReply))
	}
	return &Batch{Limit: maxHTTPTime, Requests: a.requests, reply: func(_ *Batch, outcomes []deletion.Outcome) ([]byte, error) {
		if reply != nil {
			return write(reply)
		}
		reply := a.answer(outcomes)
		text, err := write(reply)
		if err == nil && len(text) > maxReply && reply.short != nil {
			return write(reply.short())
		}
		return text, err
	}}
}
