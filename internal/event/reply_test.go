package event_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
)

// outcome returns what became of a request.
func outcome(r deletion.Request, class deletion.Class) deletion.Outcome {
	if class == "" {
		return deletion.Outcome{Request: r, Status: deletion.Accepted, JobID: "job"}
	}
	o := deletion.Outcome{Request: r, Status: deletion.Retry, Err: &deletion.Error{
		Class: class, Code: "DBS.1", Message: "why", HTTPStatus: 400, DDSRequestID: "dds", RetryAfter: 1500 * time.Millisecond,
	}}
	switch class { //nolint:exhaustive // the others are retries
	case deletion.ClassInvalid:
		o.Status, o.Err.RetryAfter = deletion.Rejected, 0
	case deletion.ClassNotFound:
		o.Status, o.Err.RetryAfter = deletion.NotFound, 0
	case deletion.ClassUndelivered:
		o.JobID = "job"
	}
	return o
}

func TestReplyToSQS(t *testing.T) {
	batch, err := decode(marshal(t, sqs(`{"backup_id":"a"}`, `{"backup_id":"b"}`, `{"backup_id":"c"}`, `{"backup_id":"d"}`)))
	if err != nil {
		t.Fatal(err)
	}
	r := batch.Requests
	reply, err := batch.Reply([]deletion.Outcome{
		outcome(r[0], ""), outcome(r[1], deletion.ClassThrottled), outcome(r[2], deletion.ClassNotFound), outcome(r[3], deletion.ClassUndelivered),
	})
	const want = `{"batchItemFailures":[{"itemIdentifier":"message-1"},{"itemIdentifier":"message-3"}]}`
	if err != nil || string(reply) != want {
		t.Errorf("reply %s, error %v, want %s", reply, err, want)
	}
}

func TestReplyToACaller(t *testing.T) {
	for class, tc := range map[deletion.Class]struct {
		status     int
		name       string
		retryAfter string
	}{
		deletion.ClassInvalid:         {400, "DDS.Invalid", ""},
		deletion.ClassNotFound:        {404, "DDS.NotFound", ""},
		deletion.ClassForbidden:       {403, "DDS.Forbidden", "2"},
		deletion.ClassUnauthenticated: {502, "DDS.Unauthenticated", "2"},
		deletion.ClassConflict:        {409, "DDS.Conflict", "2"},
		deletion.ClassUnknown:         {502, "DDS.Unknown", "2"},
		deletion.ClassThrottled:       {429, "DDS.Throttled", "2"},
		deletion.ClassUnavailable:     {503, "DDS.Unavailable", "2"},
		deletion.ClassUndelivered:     {503, "DDS.Undelivered", "2"},
		deletion.ClassInternal:        {500, "DDS.Internal", "2"},
	} {
		t.Run(string(class), func(t *testing.T) {
			batch, r := decodeOne(t, []byte(`{"backup_id":"`+backup+`"}`))
			_, err := batch.Reply([]deletion.Outcome{outcome(r, class)})
			var failure *event.FunctionError
			if !errors.As(err, &failure) || failure.Type != tc.name {
				t.Errorf("error %#v, want one of type %s", err, tc.name)
			}

			batch, r = decodeOne(t, marshal(t, httpAPI("DELETE", "/backups/"+backup, "")))
			got := httpReply(t, batch, outcome(r, class))
			if got.StatusCode != tc.status || got.Headers["Content-Type"] != "application/problem+json" || got.Headers["Retry-After"] != tc.retryAfter {
				t.Errorf("reply %+v, want status %d and Retry-After %q", got, tc.status, tc.retryAfter)
			}
			var problem map[string]any
			if err := json.Unmarshal([]byte(got.Body), &problem); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"title": http.StatusText(tc.status), "status": float64(tc.status), "detail": "why", "class": string(class),
				"code": "DBS.1", "request_id": "api-request", "backup_id": backup, "dds_request_id": "dds",
			}
			if class == deletion.ClassUndelivered {
				want["job_id"] = "job"
			}
			if diff := cmp.Diff(want, problem); diff != "" {
				t.Errorf("problem (-want +got):\n%s", diff)
			}
		})
	}
}

func httpReply(t *testing.T, batch *event.Batch, outcomes ...deletion.Outcome) events.APIGatewayV2HTTPResponse {
	t.Helper()
	reply, err := batch.Reply(outcomes)
	if err != nil {
		t.Fatal(err)
	}
	var got events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(reply, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestReplyAccepted(t *testing.T) {
	const want = `{"request_id":"invocation","project_id":"p","backup_id":"` + backup + `","job_id":"job","status":"accepted"}`
	batch, r := decodeOne(t, []byte(`{"backup_id":"`+backup+`"}`))
	r.ProjectID = "p"
	reply, err := batch.Reply([]deletion.Outcome{outcome(r, "")})
	if err != nil || string(reply) != want {
		t.Errorf("reply %s, error %v, want %s", reply, err, want)
	}

	batch, r = decodeOne(t, marshal(t, httpAPI("DELETE", "/backups/"+backup, "")))
	r.ProjectID, r.ID = "p", "invocation"
	got := httpReply(t, batch, outcome(r, ""))
	if got.StatusCode != http.StatusAccepted || got.Headers["Content-Type"] != "application/json" || got.Body != want {
		t.Errorf("reply %+v", got)
	}
}

func TestReplyOnADryRun(t *testing.T) {
	simulated := func(r deletion.Request) deletion.Outcome {
		return deletion.Outcome{Request: r, Status: deletion.Simulated}
	}
	batch, r := decodeOne(t, []byte(`{"backup_id":"`+backup+`"}`))
	if reply, err := batch.Reply([]deletion.Outcome{simulated(r)}); err != nil || !strings.Contains(string(reply), `"status":"simulated"`) {
		t.Errorf("reply %s, error %v", reply, err)
	}
	batch, r = decodeOne(t, marshal(t, httpAPI("DELETE", "/backups/"+backup, "")))
	if got := httpReply(t, batch, simulated(r)); got.StatusCode != http.StatusOK || !strings.Contains(got.Body, `"status":"simulated"`) {
		t.Errorf("reply %+v", got)
	}
	batch, r = decodeOne(t, marshal(t, sqs(`{"backup_id":"a"}`)))
	if reply, err := batch.Reply([]deletion.Outcome{simulated(r)}); err != nil || string(reply) != `{"batchItemFailures":[]}` {
		t.Errorf("reply %s, error %v", reply, err)
	}
}

// What is no request at all is answered without one.
func TestHTTPThatAsksForNothing(t *testing.T) {
	const accept = "application/json, application/cloudevents+json, application/cloudevents-batch+json"
	form := httpAPI("POST", "/deletions", "backup_id=a")
	form.Headers["content-type"] = "application/x-www-form-urlencoded"
	none := httpAPI("POST", "/deletions", `{"backup_id":"a"}`)
	none.Headers = nil
	for name, tc := range map[string]struct {
		request       events.APIGatewayV2HTTPRequest
		status        int
		header, value string
	}{
		"unknown path":        {httpAPI("DELETE", "/instances/a", ""), 404, "", ""},
		"no path":             {httpAPI("DELETE", "", ""), 405, "Allow", "POST"},
		"the root":            {httpAPI("OPTIONS", "/", ""), 405, "Allow", "POST"},
		"a request at root":   {httpAPI("POST", "/", `{"backup_id":"a"}`), 415, "Accept", accept},
		"no backup":           {httpAPI("DELETE", "/backups/", ""), 404, "", ""},
		"below a backup":      {httpAPI("DELETE", "/backups/a/b", ""), 404, "", ""},
		"an escape":           {httpAPI("DELETE", "/backups/../instances/a", ""), 404, "", ""},
		"changing a backup":   {httpAPI("PATCH", "/backups/a", ""), 405, "Allow", "DELETE, GET, HEAD"},
		"no project, to read": {httpAPI("GET", "/v3//backups/a", ""), 400, "", ""},
		"stopping a backup":   {httpAPI("PUT", "/v3/p/backups/a", ""), 405, "Allow", "DELETE, GET, HEAD"},
		"listing deletions":   {httpAPI("GET", "/deletions", ""), 405, "Allow", "POST"},
		"a form":              {form, 415, "Accept", accept},
		"no type":             {none, 415, "Accept", accept},
		"a body without end":  {httpAPI("POST", "/deletions", strings.Repeat(" ", 1<<20+1)), 413, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			batch, err := decode(marshal(t, tc.request))
			if err != nil {
				t.Fatal(err)
			}
			if len(batch.Requests) != 0 {
				t.Fatalf("requests %+v", batch.Requests)
			}
			got := httpReply(t, batch)
			if got.StatusCode != tc.status || got.Headers["Content-Type"] != "application/problem+json" {
				t.Errorf("reply %+v, want status %d", got, tc.status)
			}
			if tc.header != "" && got.Headers[tc.header] != tc.value {
				t.Errorf("%s: %q, want %q", tc.header, got.Headers[tc.header], tc.value)
			}
		})
	}
}

// Ids in a path keep whatever they hold, decoded once; what may be an id is decided elsewhere.
func TestHTTPPathIDs(t *testing.T) {
	for path, want := range map[string]deletion.Request{
		"/backups/a%2Fb":      {BackupID: "a/b"},
		"/backups/a%252Fb":    {BackupID: "a%2Fb"},
		"/backups/..":         {BackupID: ".."},
		"/backups/a%zz":       {BackupID: "a%zz"},
		"/v3/p%2F/backups/a":  {ProjectID: "p/", BackupID: "a"},
		"/v3//backups/a":      {Err: &deletion.Error{Class: deletion.ClassInvalid, Message: "project_id: empty in the path"}},
		"/v3/../backups/%00a": {ProjectID: "..", BackupID: "\x00a"},
	} {
		t.Run(path, func(t *testing.T) {
			_, got := decodeOne(t, marshal(t, httpAPI("DELETE", path, "")))
			want.ID, want.Source = "api-request", "apigateway-http"
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}
