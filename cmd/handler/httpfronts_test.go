package main_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"dds-backup-delete/internal/dds/ddstest"
)

// The payloads of HTTP fronts below are reduced from what public projects and services send.
const (
	queryDryRun = `{"version":"2.0","routeKey":"$default","rawPath":"/backups/ID","rawQueryString":"dry_run=true","headers":{"content-type":"application/json"},` +
		`"requestContext":{"http":{"method":"DELETE","path":"/backups/ID"},"requestId":"r-dry","stage":"$default","domainName":"api.example.com"},` +
		`"isBase64Encoded":false,"queryStringParameters":{"dry_run":"true"}}`
	queryOtherProject = `{"version":"2.0","routeKey":"$default","rawPath":"/backups/ID","rawQueryString":"project_id=ffffffffffffffffffffffffffffffff",` +
		`"headers":{"content-type":"application/json"},"requestContext":{"http":{"method":"DELETE","path":"/backups/ID"},"requestId":"r-other","stage":"$default",` +
		`"domainName":"api.example.com"},"isBase64Encoded":false,"queryStringParameters":{"project_id":"ffffffffffffffffffffffffffffffff"}}`
	bodyNamesAnother = `{"version":"2.0","routeKey":"$default","rawPath":"/backups/ID","rawQueryString":"","headers":{"content-type":"application/json"},` +
		`"requestContext":{"http":{"method":"DELETE","path":"/backups/ID"},"requestId":"r-body","stage":"$default","domainName":"api.example.com"},` +
		`"isBase64Encoded":false,"body":"{\"backup_id\": \"cafe0000000000000000000000000011br02\"}"}`
	nestedDuplicate = `{"version":"2.0","routeKey":"DELETE /backups/{backup_id}","rawPath":"/backups/ID","rawQueryString":"","headers":{"content-type":"application/json"},` +
		`"requestContext":{"http":{"method":"DELETE","path":"/backups/ID"},"requestId":"r-twice","stage":"$default","domainName":"api.example.com"},` +
		`"isBase64Encoded":false,"pathParameters":{"backup_id":"ID","backup_id":"cafe000000000000000000000000001ebr02"}}`
	headerNumber = `{"version":"2.0","routeKey":"$default","rawPath":"/backups/ID","rawQueryString":"","headers":{"content-length":12},` +
		`"requestContext":{"http":{"method":"DELETE","path":"/backups/ID"},"requestId":"r-number","stage":"$default","domainName":"api.example.com"},"isBase64Encoded":false}`
	defaultRouteBasePath = `{"version":"2.0","routeKey":"$default","rawPath":"/dds/backups/ID","rawQueryString":"","headers":{"host":"api.example.com"},` +
		`"requestContext":{"accountId":"123456789012","apiId":"abc","domainName":"api.example.com","http":{"method":"DELETE","path":"/dds/backups/ID",` +
		`"protocol":"HTTP/1.1","sourceIp":"192.0.2.1","userAgent":"curl"},"requestId":"r","routeKey":"$default","stage":"$default"},"isBase64Encoded":false}`
	albPathPrefix  = `{"requestContext":{"elb":{"targetGroupArn":"x"}},"httpMethod":"DELETE","path":"/dds/backups/ID","queryStringParameters":{},"headers":{},"body":"","isBase64Encoded":false}`
	albHealthCheck = `{"requestContext":{"elb":{"targetGroupArn":"x"}},"httpMethod":"GET","path":"/healthz","queryStringParameters":{},` +
		`"headers":{"user-agent":"ELB-HealthChecker/2.0"},"body":"","isBase64Encoded":false}`
)

// call sends a payload with a backup put in, and returns the status and the body of the reply.
func (w *world) call(t *testing.T, payload, backup string) (status int, body string) {
	t.Helper()
	result := w.invoke(t, []byte(strings.ReplaceAll(payload, "ID", backup)))
	if result.Err != nil {
		t.Fatalf("error %v", result.Err)
	}
	var reply struct {
		StatusCode int
		Body       string
	}
	if err := json.Unmarshal(result.Payload, &reply); err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, reply.Body
}

// What is not clearly the wish for this deletion deletes nothing.
func TestHTTPDeletesOnlyWhatWasAsked(t *testing.T) {
	w := start(t, nil)
	for name, tc := range map[string]struct {
		payload string
		status  int
		says    string
	}{
		"a query for another project":    {queryOtherProject, 400, "project_id: neither the configured one"},
		"a body that names another":      {bodyNamesAnother, 400, "a DELETE takes none"},
		"a path parameter twice":         {nestedDuplicate, 400, "is given twice"},
		"an unknown parameter":           {strings.NewReplacer("dry_run", "dryRun").Replace(queryDryRun), 400, "is unknown"},
		"a parameter twice":              {strings.NewReplacer(`dry_run=true"`, `dry_run=true&dry_run=false"`, `"dry_run":"true"`, `"dry_run":"true,false"`).Replace(queryDryRun), 400, "is given twice"},
		"a query that contradicts":       {strings.Replace(queryDryRun, `"dry_run":"true"`, `"dry_run":"false"`, 1), 400, "rawQueryString"},
		"a base path that is not set":    {defaultRouteBasePath, 404, "HTTP_BASE_PATH"},
		"a load balancer's, not set":     {albPathPrefix, 404, "HTTP_BASE_PATH"},
		"a path that would be cleaned":   {strings.ReplaceAll(headerNumber, "/backups/", "/backups/x/../"), 404, "there is no path"},
		"a path and another parameter":   {strings.Replace(nestedDuplicate, `"backup_id":"ID",`, "", 1), 400, "pathParameters"},
		"an object where a text must be": {strings.Replace(headerNumber, `12`, `{}`, 1), 400, "expected a string"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := w.call(t, tc.payload, sample(0))
			if status != tc.status || !strings.Contains(body, tc.says) {
				t.Errorf("reply %d %s, want %d that says %q", status, body, tc.status, tc.says)
			}
			if _, there := w.dds.Backup(sample(0)); !there {
				t.Fatal("the backup was deleted")
			}
		})
	}
	if jobs := w.dds.Jobs(); len(jobs) != 0 {
		t.Errorf("jobs %+v", jobs)
	}
	if status, body := w.call(t, headerNumber, sample(0)); status != 202 {
		t.Errorf("a number as a header: reply %d %s", status, body)
	}
}

// A query that asks for a dry run is one.
func TestHTTPDryRunOfTheQuery(t *testing.T) {
	w := start(t, nil)
	status, body := w.call(t, queryDryRun, sample(0))
	if _, there := w.dds.Backup(sample(0)); status != 200 || !strings.Contains(body, `"status":"simulated"`) || !there {
		t.Errorf("reply %d %s, still there: %t", status, body, there)
	}
}

func TestHTTPBasePath(t *testing.T) {
	w := start(t, nil, "HTTP_BASE_PATH=/dds")
	for i, payload := range []string{defaultRouteBasePath, albPathPrefix, strings.ReplaceAll(defaultRouteBasePath, "/dds/", "/")} {
		status, body := w.call(t, payload, sample(i))
		if _, there := w.dds.Backup(sample(i)); status != 202 || there {
			t.Errorf("reply %d %s, still there: %t", status, body, there)
		}
	}
	if status, body := w.call(t, albPathPrefix, "a/b"); status != 404 || !strings.Contains(body, `HTTP_BASE_PATH, which is \"/dds\"`) {
		t.Errorf("reply %d %s", status, body)
	}
	for _, path := range []string{"/healthz", "/dds/healthz"} {
		if status, body := w.call(t, strings.Replace(albHealthCheck, "/healthz", path, 1), ""); status != 200 {
			t.Errorf("%s: reply %d %s", path, status, body)
		}
	}
	if calls := w.dds.Calls(); len(calls) > 4 { // three deletions, and the connection at start
		t.Errorf("%d calls to DDS", len(calls))
	}
}

func TestHealthCheckOfEveryFront(t *testing.T) {
	w := start(t, nil)
	format2 := strings.NewReplacer("/backups/ID", "/healthz", "DELETE", "GET").Replace(headerNumber)
	format1 := `{"resource":"/{proxy+}","path":"/healthz","httpMethod":"GET","pathParameters":{"proxy":"healthz"},"requestContext":{"requestId":"r","stage":"prod"}}`
	for _, payload := range []string{albHealthCheck, format2, strings.Replace(format2, "api.example.com", "x.lambda-url.eu-central-1.on.aws", 1), format1} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			want := 200
			if method == "POST" {
				want = 405
			}
			if status, body := w.call(t, strings.Replace(payload, "GET", method, 1), ""); status != want {
				t.Errorf("%s: reply %d %s", method, status, body)
			}
		}
	}
	if len(w.bus.Taken()) != 0 {
		t.Error("a health check was published")
	}
}

// A reply to a load balancer stays below 1 MB, whatever a thousand results have to say.
func TestALBReplyIsBounded(t *testing.T) {
	w := start(t, nil)
	w.dds.Inject(ddstest.Answer(400, "DBS.201319", strings.Repeat(`"`, 500)).Repeat(-1)) // busy, with many words
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = fmt.Sprintf("%032dbr02", i)
	}
	list, err := json.Marshal(map[string]any{"backup_ids": ids})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(map[string]any{
		"requestContext": map[string]any{"elb": map[string]any{"targetGroupArn": "x"}}, "httpMethod": "POST", "path": "/deletions",
		"headers": map[string]string{"content-type": "application/json"}, "body": string(list), "isBase64Encoded": false,
	})
	if err != nil {
		t.Fatal(err)
	}
	result := w.invoke(t, payload)
	var reply struct {
		StatusCode int
		Body       string
	}
	if result.Err != nil || json.Unmarshal(result.Payload, &reply) != nil || reply.StatusCode != 207 || len(result.Payload) >= 1_000_000 {
		t.Fatalf("status %d, %d bytes, error %v", reply.StatusCode, len(result.Payload), result.Err)
	}
	if n := strings.Count(reply.Body, `"code":"DBS.201319"`); n != 1000 {
		t.Errorf("%d results say why", n)
	}
}
