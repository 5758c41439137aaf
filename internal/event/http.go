package event

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dds-backup-delete/internal/deletion"
)

// maxHTTPBody bounds, in bytes, the body of a request; one is below 200.
const maxHTTPBody = 64 << 10

// httpRequest is what the HTTP sources have in common.
type httpRequest struct {
	id, method, path, contentType, traceParent string
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
		return request, failure(r.id, http.StatusNotFound,
			"want DELETE /backups/{backup_id}, DELETE /v3/{project_id}/backups/{backup_id} or POST /deletions")
	}
	if r.method != allow {
		reply := failure(r.id, http.StatusMethodNotAllowed, "want "+allow)
		reply.header["Allow"] = allow
		return request, reply
	}
	if allow == http.MethodPost {
		var reply *httpReply
		if request, reply = requestOfBody(r); reply != nil {
			return request, reply
		}
	}
	request.ID, request.TraceParent = r.id, r.traceParent
	return request, nil
}

// requestOfBody reads the request in the body of a POST.
func requestOfBody(r *httpRequest) (deletion.Request, *httpReply) {
	if media, _, err := mime.ParseMediaType(r.contentType); err != nil || media != "application/json" {
		reply := failure(r.id, http.StatusUnsupportedMediaType, "want Content-Type: application/json")
		reply.header["Accept"] = "application/json"
		return deletion.Request{}, reply
	}
	if len(r.body) > maxHTTPBody {
		return deletion.Request{}, failure(r.id, http.StatusRequestEntityTooLarge,
			"the body has "+strconv.Itoa(len(r.body))+" bytes, want "+strconv.Itoa(maxHTTPBody)+" at most")
	}
	if r.bodyErr != "" {
		return refused(r.bodyErr), nil
	}
	return parseRequest(r.body), nil
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
	if o.Status == deletion.Accepted || o.Status == deletion.Unconfirmed {
		return &httpReply{
			status: http.StatusAccepted,
			header: map[string]string{"Content-Type": "application/json"},
			body:   o.Data(),
		}
	}
	reply := failure(o.Request.ID, policyOf(o.Err.Class).status, o.Err.Message)
	p := reply.body.(*problem)
	p.Class, p.Code, p.DDSRequestID = o.Err.Class, o.Err.Code, o.Err.DDSRequestID
	p.BackupID, p.JobID = o.Request.BackupID, o.JobID
	if wait := o.Err.RetryAfter; wait > 0 {
		reply.header["Retry-After"] = strconv.Itoa(int((wait + time.Second - 1) / time.Second))
	}
	return reply
}

// failure returns an error reply.
func failure(requestID string, status int, detail string) *httpReply {
	return &httpReply{
		status: status,
		header: map[string]string{"Content-Type": "application/problem+json"},
		body: &problem{
			Title: http.StatusText(status), Status: status, Detail: detail, RequestID: requestID,
		},
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
		Requests: []deletion.Request{request},
		reply:    func(outcomes []deletion.Outcome) ([]byte, error) { return write(answer(&outcomes[0])) },
	}
}
