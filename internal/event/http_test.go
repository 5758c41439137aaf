package event_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	neturl "net/url"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
)

// restAPI is a request to a REST API whose resource takes everything.
func restAPI(method, path, body string) events.APIGatewayProxyRequest {
	return events.APIGatewayProxyRequest{
		Resource: "/{proxy+}", Path: path, HTTPMethod: method, Body: body,
		Headers:        map[string]string{"Content-Type": "application/json"},
		PathParameters: map[string]string{"proxy": strings.TrimPrefix(path, "/")},
		RequestContext: events.APIGatewayProxyRequestContext{RequestID: "rest-request", Stage: "prod"},
	}
}

func alb(method, path, body string) events.ALBTargetGroupRequest {
	return events.ALBTargetGroupRequest{
		HTTPMethod: method, Path: path, Body: body, Headers: map[string]string{"content-type": "application/json"},
		RequestContext: events.ALBTargetGroupRequestContext{ELB: events.ELBContext{TargetGroupArn: "arn"}},
	}
}

// The path that was asked for is found behind whatever the front put before it.
func TestHTTPPaths(t *testing.T) {
	const v3 = "/v3/" + project + "/backups/" + backup
	format2 := func(route, raw, stage string, parameters map[string]string) any {
		r := httpAPI("DELETE", raw, "")
		r.RouteKey, r.RequestContext.Stage, r.PathParameters = route, stage, parameters
		return r
	}
	rest := func(resource, path string, parameters map[string]string) any {
		r := restAPI("DELETE", path, "")
		r.Resource, r.PathParameters = resource, parameters
		return r
	}
	both := map[string]string{"project_id": project, "backup_id": backup}
	url := httpAPI("DELETE", v3, "")
	url.RequestContext.DomainName = "abcdef.lambda-url.eu-central-1.on.aws"
	multi := alb("DELETE", v3+"/", "")
	multi.MultiValueHeaders, multi.Headers = map[string][]string{"accept": {"*/*"}}, nil
	for name, tc := range map[string]struct {
		payload any
		source  deletion.Source
	}{
		"route with parameters":          {format2("DELETE /v3/{project_id}/backups/{backup_id}", v3, "$default", both), "apigateway-http"},
		"route behind a stage":           {format2("DELETE /v3/{project_id}/backups/{backup_id}", "/prod"+v3, "prod", both), "apigateway-http"},
		"route behind a mapping":         {format2("DELETE /v3/{project_id}/backups/{backup_id}", "/dds/deep"+v3, "$default", both), "apigateway-http"},
		"greedy route":                   {format2("ANY /{proxy+}", "/dds"+v3, "$default", map[string]string{"proxy": v3[1:]}), "apigateway-http"},
		"route whose parameters are not": {format2("DELETE /v3/{p}/backups/{b}", v3, "$default", nil), "apigateway-http"},
		"default route":                  {format2("$default", v3+"/", "$default", nil), "apigateway-http"},
		"default route, stage":           {format2("$default", "/prod"+v3, "prod", nil), "apigateway-http"},
		"function URL":                   {url, "function-url"},
		"REST resource":                  {rest("/v3/{project_id}/backups/{backup_id}", v3, both), "apigateway-rest"},
		"REST resource behind a base":    {rest("/v3/{project_id}/backups/{backup_id}", "/base"+v3, both), "apigateway-rest"},
		"REST proxy behind a base":       {rest("/{proxy+}", "/base"+v3, map[string]string{"proxy": v3[1:] + "/"}), "apigateway-rest"},
		"REST without parameters":        {rest("/{proxy+}", "/prod"+v3, nil), "apigateway-rest"},
		"load balancer":                  {alb("DELETE", v3, ""), "alb"},
		"load balancer, multi-value":     {multi, "alb"},
	} {
		t.Run(name, func(t *testing.T) {
			batch, got := decodeOne(t, marshal(t, tc.payload))
			if batch.Source != tc.source || got.ProjectID != project || got.BackupID != backup || got.Err != nil || batch.Limit == 0 {
				t.Errorf("source %s, request %+v", batch.Source, got)
			}
		})
	}
	// What a front decoded is not decoded again, and stays in its place.
	for _, id := range []string{"a/b", "%61", "..", "a%2Fb"} {
		raw := "/backups/" + neturl.PathEscape(id)
		_, got := decodeOne(t, marshal(t, format2("DELETE /backups/{backup_id}", raw, "$default", map[string]string{"backup_id": id})))
		if got.BackupID != id {
			t.Errorf("backup %q, want %q", got.BackupID, id)
		}
	}
}

// The root of a stage is the root.
func TestHTTPStageRoot(t *testing.T) {
	for _, path := range []string{"/prod", "/prod/", "/", ""} {
		in := withType(httpAPI("POST", path, cloudEvent(event.RequestType, plain)), "application/cloudevents+json")
		in.RequestContext.Stage = "prod"
		if _, got := decodeOne(t, marshal(t, in)); got.BackupID != backup {
			t.Errorf("%q: request %+v", path, got)
		}
	}
}

// Where a front gives headers in both styles, the one with all values counts.
func TestHTTPMultiValueHeaders(t *testing.T) {
	in := restAPI("POST", "/", cloudEvent(event.RequestType, plain))
	in.Headers = map[string]string{"Content-Type": "application/cloudevents+json", "Accept": "application/json"}
	in.MultiValueHeaders = map[string][]string{"Content-Type": {"application/cloudevents+json"}, "Accept": {"application/cloudevents+json", "application/json"}}
	batch, r := decodeOne(t, marshal(t, in))
	if got := httpReply(t, batch, verdictOf(r, "")); got.Headers["Content-Type"] != "application/cloudevents+json" {
		t.Errorf("reply %+v", got)
	}
}

// Each of several events is an outcome of its own, also where it has no id.
func TestEventsWithoutIDs(t *testing.T) {
	in := withType(httpAPI("POST", "/", `[5,{"specversion":"1.0"},{"specversion":"1.0","type":"x"},{"specversion":"1.0","id":"i","type":"`+event.RequestType+`"}]`), "application/cloudevents-batch+json")
	batch, err := decode(marshal(t, in))
	if err != nil || len(batch.Requests) != 4 {
		t.Fatalf("requests %+v, error %v", batch.Requests, err)
	}
	seen := make(map[string]bool)
	for _, r := range batch.Requests {
		if r.Err == nil || r.ID != "api-request" || seen[r.Identity()] {
			t.Errorf("request %+v", r)
		}
		seen[r.Identity()] = true
	}
	list := `{"backup_ids":["a"` + strings.Repeat(`,"a"`, 999) + `]}`
	batch, err = decode(marshal(t, withType(httpAPI("POST", "/", "["+cloudEvent(event.RequestType, list)+","+cloudEvent(event.RequestType, plain)+"]"), "application/cloudevents-batch+json")))
	if err != nil || len(batch.Requests) != 0 || httpReply(t, batch).StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%d requests, error %v", len(batch.Requests), err)
	}
}

// Each front gets its reply in its own form.
func TestRepliesOfFronts(t *testing.T) {
	multi := alb("DELETE", "/backups/"+backup, "")
	multi.MultiValueHeaders, multi.Headers = map[string][]string{"accept": {"*/*"}}, nil
	for name, tc := range map[string]struct {
		payload any
		want    string
	}{
		"REST API": {
			restAPI("DELETE", "/backups/"+backup, ""),
			`{"statusCode":409,"headers":{"Content-Type":"application/problem+json","Retry-After":"2"},"multiValueHeaders":null,"body":"BODY"}`,
		},
		"load balancer": {
			alb("DELETE", "/backups/"+backup, ""),
			`{"statusCode":409,"statusDescription":"409 Conflict","headers":{"Content-Type":"application/problem+json","Retry-After":"2"},"multiValueHeaders":null,"body":"BODY","isBase64Encoded":false}`,
		},
		"load balancer, multi-value": {
			multi,
			`{"statusCode":409,"statusDescription":"409 Conflict","headers":null,"multiValueHeaders":{"Content-Type":["application/problem+json"],"Retry-After":["2"]},"body":"BODY","isBase64Encoded":false}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			batch, r := decodeOne(t, marshal(t, tc.payload))
			reply, err := batch.Reply([]deletion.Outcome{outcome(r, deletion.ClassConflict)})
			if err != nil {
				t.Fatal(err)
			}
			var whole struct{ Body string }
			if err := json.Unmarshal(reply, &whole); err != nil {
				t.Fatal(err)
			}
			text := strings.Replace(string(reply), string(marshal(t, whole.Body)), `"BODY"`, 1)
			if text != tc.want || !strings.Contains(whole.Body, `"class":"conflict"`) {
				t.Errorf("reply %s\n want %s", text, tc.want)
			}
		})
	}
}

// binary is a CloudEvent in binary mode.
func binary(eventType, data string) events.APIGatewayV2HTTPRequest {
	r := httpAPI(http.MethodPost, "/", data)
	for name, value := range map[string]string{"specversion": "1.0", "id": "a%20b", "source": "/teams/dba", "type": eventType} {
		r.Headers["ce-"+name] = value
	}
	return r
}

func withType(r events.APIGatewayV2HTTPRequest, media string) events.APIGatewayV2HTTPRequest {
	r.Headers["content-type"] = media
	return r
}

func TestCloudEventsOverHTTP(t *testing.T) {
	one := cloudEvent(event.RequestType, plain)
	for name, tc := range map[string]struct {
		request events.APIGatewayV2HTTPRequest
		ids     string
	}{
		"binary":                        {binary(event.RequestType, plain), "a b"},
		"binary, type with a parameter": {withType(binary(event.RequestType, plain), "application/json; charset=utf-8"), "a b"},
		"binary, no type":               {withType(binary(event.RequestType, plain), ""), "a b"},
		"binary with a list":            {binary(event.RequestType, `{"backup_ids":["a","b"]}`), "a b,a b"},
		"structured at the root":        {withType(httpAPI("POST", "/", one), "application/cloudevents+json; charset=UTF-8"), "event-7"},
		"structured":                    {withType(httpAPI("POST", "/deletions", one), "application/cloudevents+json"), "event-7"},
		"structured, as JSON":           {httpAPI("POST", "/deletions", one), "event-7"},
		"batch":                         {withType(httpAPI("POST", "/", "["+one+","+strings.Replace(one, "event-7", "event-8", 1)+"]"), "application/cloudevents-batch+json"), "event-7,event-8"},
		"structured, with headers":      {withType(binary(event.RequestType, one), "application/cloudevents+json"), "event-7"},
		"batch of none":                 {withType(httpAPI("POST", "/", "[]"), "application/cloudevents-batch+json"), ""},
		"batch with one of ours":        {withType(httpAPI("POST", "/", "["+outcomeEvent+","+one+"]"), "application/cloudevents-batch+json"), "event-7"},
	} {
		t.Run(name, func(t *testing.T) {
			batch, err := decode(marshal(t, tc.request))
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, r := range batch.Requests {
				if ids = append(ids, r.ID); r.Err != nil || r.Origin != "/teams/dba" {
					t.Errorf("request %+v", r)
				}
			}
			if got := strings.Join(ids, ","); got != tc.ids {
				t.Errorf("requests %s, want %s", got, tc.ids)
			}
		})
	}
	for name, tc := range map[string]struct {
		request events.APIGatewayV2HTTPRequest
		says    string
	}{
		"of another type":         {binary("com.example.backup.created", plain), "a CloudEvent of type"},
		"not as it says":          {withType(httpAPI("POST", "/deletions", plain), "application/cloudevents+json"), "a CloudEvent in structured mode, and the body is none"},
		"broken":                  {withType(httpAPI("POST", "/", "{"), "application/cloudevents+json"), "malformed JSON"},
		"a broken one of a batch": {withType(httpAPI("POST", "/", `[{"specversion":"1.0"}]`), "application/cloudevents-batch+json"), "a CloudEvent of type"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got := decodeOne(t, marshal(t, tc.request)); got.Err == nil || !strings.Contains(got.Err.Message, tc.says) {
				t.Errorf("error %v, want one that says %q", got.Err, tc.says)
			}
		})
	}
	for name, tc := range map[string]struct {
		request events.APIGatewayV2HTTPRequest
		status  int
	}{
		"binary, not JSON":      {withType(binary(event.RequestType, "<a/>"), "text/xml"), 415},
		"structured in Avro":    {withType(httpAPI("POST", "/", "x"), "application/cloudevents+avro"), 415},
		"a broken type":         {withType(httpAPI("POST", "/deletions", plain), "application/json; x"), 415},
		"a broken batch":        {withType(httpAPI("POST", "/", "["), "application/cloudevents-batch+json"), 400},
		"a batch that is none":  {withType(httpAPI("POST", "/", one), "application/cloudevents-batch+json"), 400},
		"a batch without end":   {withType(httpAPI("POST", "/", "["+strings.Repeat("{},", 1000)+"{}]"), "application/cloudevents-batch+json"), 400},
		"an outcome of ours":    {withType(httpAPI("POST", "/", outcomeEvent), "application/cloudevents+json"), 400},
		"one of ours in binary": {binary(deletion.EventType(deletion.Accepted), `{"any":"thing"}`), 400},
		"its data, as an event": {withType(httpAPI("POST", "/", outcomeData), "application/cloudevents+json"), 400},
	} {
		t.Run(name, func(t *testing.T) {
			batch, err := decode(marshal(t, tc.request))
			if err != nil || len(batch.Requests) != 0 {
				t.Fatalf("requests %+v, error %v", batch.Requests, err)
			}
			if got := httpReply(t, batch); got.StatusCode != tc.status || got.Headers["Content-Type"] != "application/problem+json" {
				t.Errorf("reply %+v, want %d", got, tc.status)
			}
		})
	}
}

// verdictOf is the outcome of a request with an event.
func verdictOf(r deletion.Request, class deletion.Class) deletion.Outcome {
	o := outcome(r, class)
	if o.Status != deletion.Retry {
		o.Event = deletion.Event{ID: "outcome-" + r.ID, JSON: []byte(`{"specversion":"1.0","id":"outcome-` + r.ID + `"}`)}
	}
	return o
}

// Who takes events gets the outcome as one; a delivery fails only where another helps.
func TestRepliesToCloudEvents(t *testing.T) {
	one := cloudEvent(event.RequestType, plain)
	single := func(name, value string) events.APIGatewayV2HTTPRequest {
		r := withType(httpAPI("POST", "/", one), "application/cloudevents+json")
		r.Headers[name] = value
		return r
	}
	two := func(name, value string) events.APIGatewayV2HTTPRequest {
		r := withType(httpAPI("POST", "/", "["+one+","+strings.Replace(one, "event-7", "event-8", 1)+"]"), "application/cloudevents-batch+json")
		r.Headers[name] = value
		return r
	}
	const (
		eventMedia, batchMedia = "application/cloudevents+json", "application/cloudevents-batch+json"
		jsonMedia, problem     = "application/json", "application/problem+json"
	)
	both := []deletion.Class{"", deletion.ClassNotFound}
	mixed := []deletion.Class{"", deletion.ClassUndelivered}
	for name, tc := range map[string]struct {
		request events.APIGatewayV2HTTPRequest
		classes []deletion.Class
		status  int
		media   string
		says    string
	}{
		"accepted, takes none":         {single("accept", "*/*"), both[:1], 202, jsonMedia, `"job_id":"job"`},
		"accepted, takes events":       {single("accept", "application/json, application/cloudevents+json;q=0.5"), both[:1], 200, eventMedia, `{"specversion":"1.0","id":"outcome-event-7"}`},
		"accepted, takes all but":      {single("accept", "application/cloudevents+json;q=0"), both[:1], 202, jsonMedia, `"job_id":"job"`},
		"accepted, prefers a reply":    {single("prefer", "respond-async, Reply"), both[:1], 200, eventMedia, "outcome-event-7"},
		"not found, prefers a reply":   {single("prefer", "reply"), both[1:], 200, eventMedia, "outcome-event-7"},
		"not found, takes none":        {single("prefer", "replying"), both[1:], 404, problem, `"class":"not_found"`},
		"no verdict, prefers a reply":  {single("prefer", "reply"), mixed[1:], 503, problem, `"job_id":"job"`},
		"several":                      {two("accept", "*/*"), both, 200, jsonMedia, `{"results":[{`},
		"several, takes batches":       {two("accept", batchMedia), both, 200, batchMedia, `[{"specversion":"1.0","id":"outcome-event-7"},{"specversion":"1.0","id":"outcome-event-8"}]`},
		"several, one without verdict": {two("accept", batchMedia), mixed, 503, problem, `"results":[{"request_id":"event-7"`},
	} {
		t.Run(name, func(t *testing.T) {
			batch, err := decode(marshal(t, tc.request))
			if err != nil || len(batch.Requests) != len(tc.classes) {
				t.Fatalf("requests %+v, error %v", batch.Requests, err)
			}
			var outcomes []deletion.Outcome
			for i, r := range batch.Requests {
				outcomes = append(outcomes, verdictOf(r, tc.classes[i]))
			}
			got := httpReply(t, batch, outcomes...)
			if got.StatusCode != tc.status || got.Headers["Content-Type"] != tc.media || !strings.Contains(got.Body, tc.says) {
				t.Errorf("reply %+v, want %d %s that says %s", got, tc.status, tc.media, tc.says)
			}
			if retry := got.Headers["Retry-After"]; (retry != "") != (tc.status == 503) {
				t.Errorf("Retry-After %q", retry)
			}
		})
	}
}

// A list is answered with a result for each of its requests, and never with an error.
func TestRepliesToLists(t *testing.T) {
	const body = `{"backup_ids":["a","b","c"]}`
	results := func(id string) string {
		return `{"results":[{"request_id":"` + id + `","project_id":"","backup_id":"a","job_id":"job","status":"accepted"},` +
			`{"request_id":"` + id + `","project_id":"","backup_id":"b","job_id":"job","status":"retry","error":{"class":"undelivered","code":"DBS.1","message":"why","http_status":400,"dds_request_id":"dds","retry_after":2}},` +
			`{"request_id":"` + id + `","project_id":"","backup_id":"c","status":"not_found","error":{"class":"not_found","code":"DBS.1","message":"why","http_status":400,"dds_request_id":"dds"}}]}`
	}
	work := func(batch *event.Batch) []deletion.Outcome {
		r := batch.Requests
		return []deletion.Outcome{outcome(r[0], ""), outcome(r[1], deletion.ClassUndelivered), outcome(r[2], deletion.ClassNotFound)}
	}
	batch, err := decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	reply, err := batch.Reply(work(batch))
	if diff := cmp.Diff(results("invocation"), string(reply)); err != nil || diff != "" {
		t.Errorf("error %v, reply (-want +got):\n%s", err, diff)
	}
	if batch, err = decode(marshal(t, httpAPI("POST", "/deletions", body))); err != nil {
		t.Fatal(err)
	}
	got := httpReply(t, batch, work(batch)...)
	if diff := cmp.Diff(results("api-request"), got.Body); got.StatusCode != http.StatusMultiStatus || diff != "" {
		t.Errorf("status %d, reply (-want +got):\n%s", got.StatusCode, diff)
	}
}

// A source that can only deliver the whole again gets an error where that helps, and else the result.
func TestRepliesToAsynchronousSources(t *testing.T) {
	accepted := func(id string) string {
		return `{"request_id":"` + id + `","project_id":"","backup_id":"` + backup + `","job_id":"job","status":"accepted"}`
	}
	for name, tc := range map[string]struct {
		payload []byte
		want    string
	}{
		"topic":              {sns(t, plain), accepted("notification-0")},
		"bus":                {[]byte(busEvent(event.RequestType, plain)), accepted("bus-event-1")},
		"event":              {[]byte(cloudEvent(event.RequestType, plain)), accepted("event-7")},
		"two topic messages": {sns(t, plain, plain), `{"results":[` + accepted("notification-0") + `,` + accepted("notification-1") + `]}`},
		"broker":             {rabbitMQ(t, plain), "{}"},
		"our own outcome":    {sns(t, outcomeEvent), `{"results":[]}`},
		"own on the bus":     {[]byte(busEvent("dds.backup.deletion.accepted.v1", outcomeEvent)), `{"results":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			batch, err := decode(tc.payload)
			if err != nil {
				t.Fatal(err)
			}
			var outcomes []deletion.Outcome
			for _, r := range batch.Requests {
				outcomes = append(outcomes, outcome(r, ""))
			}
			reply, err := batch.Reply(outcomes)
			if err != nil || string(reply) != tc.want {
				t.Errorf("reply %s, error %v, want %s", reply, err, tc.want)
			}
			if len(outcomes) == 0 {
				return
			}
			for class, name := range map[deletion.Class]string{deletion.ClassNotFound: "", deletion.ClassInvalid: "", deletion.ClassConflict: "DDS.Conflict"} {
				outcomes[len(outcomes)-1] = outcome(batch.Requests[len(outcomes)-1], class)
				_, err := batch.Reply(outcomes)
				if failure, _ := err.(*event.FunctionError); (failure == nil) != (name == "") || (failure != nil && failure.Type != name) { //nolint:errorlint // it is documented to be one
					t.Errorf("%s: error %v, want %q", class, err, name)
				}
			}
		})
	}
}

// A job id that was earned is in the error of an invocation that failed after it.
func TestErrorsKeepTheJobID(t *testing.T) {
	batch, r := decodeOne(t, sns(t, plain))
	if _, err := batch.Reply([]deletion.Outcome{outcome(r, deletion.ClassUndelivered)}); err == nil || !strings.Contains(err.Error(), "job_id job") {
		t.Errorf("error %v", err)
	}
}

func TestBodiesInBase64(t *testing.T) {
	rest := restAPI("POST", "/deletions", base64.StdEncoding.EncodeToString([]byte(plain)))
	balancer := alb("POST", "/deletions", base64.StdEncoding.EncodeToString([]byte(plain)))
	rest.IsBase64Encoded, balancer.IsBase64Encoded = true, true
	for _, payload := range []any{rest, balancer} {
		if _, got := decodeOne(t, marshal(t, payload)); got.BackupID != backup {
			t.Errorf("request %+v", got)
		}
	}
}
