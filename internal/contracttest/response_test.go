package contracttest

import (
	"maps"
	"strings"
	"testing"
)

// reply is a call and its reply.
type reply struct {
	method, path string
	status       int
	contentType  string
	header       map[string]string
	body         string
}

const (
	accepted  = `{"request_id":"m","project_id":"p","backup_id":"a","job_id":"j","status":"accepted"}`
	event     = `{"specversion":"1.0","id":"0a25ebd72c2d2e682815914c9b1e9409","source":"urn:huaweicloud:dds::p","type":"dds.backup.deletion.accepted.v1","subject":"a","datacontenttype":"application/json","data":` + accepted + `}`
	notFound  = `{"title":"Not Found","status":404,"detail":"why"}`
	notMethod = `{"title":"Method Not Allowed","status":405,"detail":"why"}`
	conflict  = `{"title":"Conflict","status":409,"detail":"why","class":"conflict"}`
	problem   = "application/problem+json"
)

var location = map[string]string{"Location": "/dds/backups/a?project_id=p"}

var replies = map[string]reply{
	"accepted":           {"DELETE", "/backups/a", 202, "application/json", location, accepted},
	"with a charset":     {"DELETE", "/backups/a", 202, "application/json; charset=utf-8", location, accepted},
	"a slash at the end": {"DELETE", "/v3/p/backups/a/", 202, "application/json", location, accepted},
	"a list":             {"POST", "/deletions", 207, "application/json", nil, `{"results":[` + accepted + `]}`},
	"an event":           {"POST", "/", 200, "application/cloudevents+json", nil, event},
	"events":             {"POST", "/deletions", 200, "application/cloudevents-batch+json", nil, `[` + event + `]`},
	"results of events":  {"POST", "/", 200, "application/json", nil, `{"results":[` + accepted + `]}`},
	"conflict":           {"DELETE", "/backups/a", 409, problem, map[string]string{"retry-after": "300"}, conflict},
	"unknown path":       {"GET", "/x", 404, problem, nil, notFound},
	"no id":              {"DELETE", "/backups/", 404, problem, nil, notFound},
	"no project":         {"DELETE", "/v3//backups/a", 404, problem, nil, notFound},
	"not to be deleted":  {"DELETE", "/deletions", 405, problem, map[string]string{"Allow": "POST"}, notMethod},
	"not to be changed":  {"PUT", "/v3/p/backups/a", 405, problem, map[string]string{"Allow": "DELETE, GET, HEAD"}, notMethod},
	"a state":            {"GET", "/v3/p/backups/a", 200, "application/json", nil, `{"project_id":"p","backup_id":"a","state":"waiting","waiting":1}`},
	"a state, no body":   {"HEAD", "/backups/a", 200, "application/json", nil, ""},
	"not the root":       {"PUT", "/", 405, problem, map[string]string{"Allow": "POST"}, notMethod},
	"health":             {"GET", "/healthz", 200, "application/json", nil, `{"status":"ok"}`},
	"health, no body":    {"HEAD", "/healthz", 200, "application/json", nil, ""},
	"not to be posted":   {"POST", "/healthz", 405, problem, map[string]string{"Allow": "GET, HEAD"}, notMethod},
	"too large":          {"POST", "/deletions", 413, problem, nil, `{"title":"Request Entity Too Large","status":413,"detail":"why"}`},
	"another type":       {"POST", "/", 415, problem, map[string]string{"Accept": "application/cloudevents+json"}, `{"title":"Unsupported Media Type","status":415,"detail":"why"}`},
}

func (r reply) check() error {
	return checkResponse(r.method, r.path, r.status, r.contentType, r.header, []byte(r.body))
}

func TestResponse(t *testing.T) {
	for name, r := range replies {
		if err := r.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestResponseRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		of     string
		change func(*reply)
		says   string
	}{
		"a status that is not there":     {"accepted", func(r *reply) { r.status = 201 }, "want 200, 202, 400"},
		"a status of another operation":  {"accepted", func(r *reply) { r.status = 207 }, "the status is not in the contract"},
		"a list on the root":             {"a list", func(r *reply) { r.path = "/" }, "the status is not in the contract"},
		"another body":                   {"accepted", func(r *reply) { r.body = `{}` }, "request_id"},
		"no body":                        {"accepted", func(r *reply) { r.body = `` }, "not JSON"},
		"the body of another status":     {"accepted", func(r *reply) { r.status = 200 }, "status"},
		"text":                           {"accepted", func(r *reply) { r.contentType = "text/plain" }, `want one of ["application/json"]`},
		"no content type":                {"accepted", func(r *reply) { r.contentType = "" }, "content type"},
		"an event for a call":            {"an event", func(r *reply) { r.method, r.path = "DELETE", "/backups/a" }, "content type"},
		"an event in a batch":            {"events", func(r *reply) { r.body = event }, "array"},
		"no Retry-After":                 {"conflict", func(r *reply) { r.header = nil }, "Retry-After: missing"},
		"a date as Retry-After":          {"conflict", func(r *reply) { r.header["retry-after"] = "soon" }, "Retry-After"},
		"no wait":                        {"conflict", func(r *reply) { r.header["retry-after"] = "0" }, "Retry-After"},
		"a problem of another status":    {"conflict", func(r *reply) { r.body = notFound }, "status"},
		"a problem as JSON":              {"conflict", func(r *reply) { r.contentType = "application/json" }, "content type"},
		"an unknown path with an answer": {"accepted", func(r *reply) { r.path = "/backups/a/b" }, "want 404"},
		"an unknown method taken":        {"accepted", func(r *reply) { r.method = "PUT" }, "want 405"},
		"an unknown method, a 404":       {"no id", func(r *reply) { r.method, r.path = "PUT", "/backups/a" }, "want 405"},
		"no Allow":                       {"not the root", func(r *reply) { r.header = nil }, "Allow: missing"},
		"the wrong Allow":                {"not the root", func(r *reply) { r.path = "/backups/a" }, "Allow"},
		"no Location":                    {"accepted", func(r *reply) { r.header = nil }, "Location: missing"},
		"a Location elsewhere":           {"accepted", func(r *reply) { r.header["Location"] = "/deletions" }, "Location"},
		"a phase that is not there":      {"a state", func(r *reply) { r.body = `{"project_id":"p","backup_id":"a","state":"gone"}` }, "state"},
		"no Accept":                      {"another type", func(r *reply) { r.header = nil }, "Accept: missing"},
		"an empty Accept":                {"another type", func(r *reply) { r.header["Accept"] = "" }, "Accept"},
		"too large where nothing is sent": {"too large", func(r *reply) {
			r.method, r.path = "DELETE", "/backups/a"
		}, "the status is not in the contract"},
	} {
		t.Run(name, func(t *testing.T) {
			r, ok := replies[tc.of]
			if !ok {
				t.Fatal("no such reply")
			}
			r.header = maps.Clone(r.header)
			tc.change(&r)
			if err := r.check(); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %v, want one that says %q", err, tc.says)
			}
		})
	}
}

// failures counts the failures of a test.
type failures struct {
	testing.TB

	count int
}

func (f *failures) Helper()               {}
func (f *failures) Errorf(string, ...any) { f.count++ }

func TestTheTestFails(t *testing.T) {
	f := &failures{TB: t}
	Check(f, "request.json", []byte(`{"backup_id":"a"}`))
	Response(f, "GET", "/x", 404, problem, nil, []byte(notFound))
	if f.count != 0 {
		t.Errorf("%d failures for correct documents", f.count)
	}
	Check(f, "request.json", []byte(`{}`))
	Response(f, "GET", "/x", 404, problem, nil, []byte(`{}`))
	if f.count != 2 {
		t.Errorf("%d failures, want 2", f.count)
	}
}
