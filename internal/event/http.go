package event

import (
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

// maxHTTPBody bounds, in bytes, the body of a request; one is below 200.
const maxHTTPBody = 64 << 10

// httpRequest is what the HTTP sources have in common.
type httpRequest struct {
	id, method, path, contentType, traceParent string
	cloudEvent                                 bool // it has the headers of a CloudEvent in binary mode
	body                                       []byte
	bodyErr                                    string // why there is no body to read; empty where there is
}

// httpReply is an HTTP response before it takes the form of its source.
type httpReply struct {
	status int
	header map[string]string
	body   any
}

// problem is an error in the form of RFC 9457, with members of ours. The type is left out,
// which stands for "about:blank": the status says it all.
type problem struct {
	Title        string         `json:"title"`
	Status       int            `json:"status"`
	Detail       string         `json:"detail"`
	Class        deletion.Class `json:"class,omitempty"`
	Code         string         `json:"code,omitempty"`
	RequestID    string         `json:"request_id,omitempty"`
	BackupID     string         `json:"backup_id,omitempty"`
	JobID        string         `json:"job_id,omitempty"`
	DDSRequestID string         `json:"dds_request_id,omitempty"`
}

// route finds what an HTTP request asks for: a deletion, or an answer that needs none.
//
//	DELETE /backups/{backup_id}
//	DELETE /v3/{project_id}/backups/{backup_id}
//	POST   /deletions                            {"backup_id": "…"}
func route(r *httpRequest) (deletion.Request, *httpReply) {
	var request deletion.Request
	segments := strings.Split(strings.TrimPrefix(r.path, "/"), "/")
	allow := http.MethodDelete
	switch {
	case len(segments) == 2 && segments[0] == "backups":
		request.BackupID = unescape(segments[1])
	case len(segments) == 4 && segments[0] == "v3" && segments[2] == "backups":
		request.ProjectID, request.BackupID = unescape(segments[1]), unescape(segments[3])
		if request.ProjectID == "" {
			request.Err = &deletion.Error{Class: deletion.ClassInvalid, Message: "project_id: empty in the path"}
		}
	case len(segments) == 1 && segments[0] == "deletions":
		allow = http.MethodPost
	default:
		return request, failure(problem{Status: http.StatusNotFound, RequestID: r.id,
			Detail: "want DELETE /backups/{backup_id}, DELETE /v3/{project_id}/backups/{backup_id} or POST /deletions"})
	}
	if r.method != allow {
		reply := failure(problem{Status: http.StatusMethodNotAllowed, RequestID: r.id, Detail: "want " + allow})
		reply.header["Allow"] = allow
		return request, reply
	}
	if allow == http.MethodPost {
		var reply *httpReply
		if request, reply = requestOfBody(r); reply != nil {
			return request, reply
		}
	}
	if r.cloudEvent { // whoever sent it told others of something, and did not ask us
		request = refused("it is a CloudEvent, want a plain request")
	}
	request.ID, request.TraceParent = r.id, r.traceParent
	return request, nil
}

// requestOfBody reads the request in the body of a POST.
func requestOfBody(r *httpRequest) (deletion.Request, *httpReply) {
	if media, _, err := mime.ParseMediaType(r.contentType); err != nil || media != "application/json" {
		reply := failure(problem{
			Status: http.StatusUnsupportedMediaType, RequestID: r.id, Detail: "want Content-Type: application/json",
		})
		reply.header["Accept"] = "application/json"
		return deletion.Request{}, reply
	}
	if len(r.body) > maxHTTPBody {
		return deletion.Request{}, failure(problem{
			Status: http.StatusRequestEntityTooLarge, RequestID: r.id,
			Detail: fmt.Sprintf("the body has %d bytes, want %d at most", len(r.body), maxHTTPBody),
		})
	}
	if r.bodyErr != "" {
		return refused(r.bodyErr), nil
	}
	request := parseRequest(r.body)
	if request.Err != nil && isEcho(r.body) {
		return request, failure(problem{Status: http.StatusBadRequest, RequestID: r.id, Detail: request.Err.Message})
	}
	return request, nil
}

// unescape decodes a path segment once. Some fronts hand the path on decoded and some do not;
// with the characters that an id may have, the two cannot be told apart, nor need they be.
func unescape(segment string) string {
	if plain, err := url.PathUnescape(segment); err == nil {
		return plain
	}
	return segment // it holds a "%", which no id does
}

// answer returns the HTTP reply to the one request of a call.
func answer(o *deletion.Outcome) *httpReply {
	if o.Status == deletion.Accepted || o.Status == deletion.Unconfirmed || o.Status == deletion.Simulated {
		status := http.StatusAccepted
		if o.Status == deletion.Simulated {
			status = http.StatusOK // nothing was started
		}
		return &httpReply{
			status: status,
			header: map[string]string{"Content-Type": "application/json"},
			body:   o.Data(),
		}
	}
	reply := failure(problem{
		Status:       policyOf(o.Err.Class).status,
		Detail:       o.Err.Message,
		Class:        o.Err.Class,
		Code:         o.Err.Code,
		RequestID:    o.Request.ID,
		BackupID:     o.Request.BackupID,
		JobID:        o.JobID,
		DDSRequestID: o.Err.DDSRequestID,
	})
	if wait := o.Err.RetryAfter; wait > 0 {
		reply.header["Retry-After"] = strconv.Itoa(int((wait + time.Second - 1) / time.Second))
	}
	return reply
}

// failure returns the reply that tells a problem.
func failure(p problem) *httpReply {
	p.Title = http.StatusText(p.Status)
	return &httpReply{
		status: p.Status,
		header: map[string]string{"Content-Type": "application/problem+json"},
		body:   p,
	}
}

// httpBatch returns the batch of one HTTP call, whose replies are written by encode.
func httpBatch(r *httpRequest, encode func(status int, header map[string]string, body string) any) *Batch {
	write := func(reply *httpReply) ([]byte, error) {
		body, err := json.Marshal(reply.body)
		if err != nil {
			return nil, err
		}
		return json.Marshal(encode(reply.status, reply.header, string(body)))
	}
	request, reply := route(r)
	if reply != nil {
		return &Batch{reply: func([]deletion.Outcome) ([]byte, error) { return write(reply) }}
	}
	return &Batch{
		Limit:    maxHTTPTime,
		Requests: []deletion.Request{request},
		reply:    func(outcomes []deletion.Outcome) ([]byte, error) { return write(answer(&outcomes[0])) },
	}
}
