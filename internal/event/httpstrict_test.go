package event_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
)

// The events of the fronts, each for a DELETE of the backup. EXTRA and CONTEXT stand where a test puts
// more members.
const (
	format2Event = `{"version":"2.0","routeKey":"$default","rawPath":"/backups/` + backup + `","requestContext":{"http":{"method":"DELETE"},` +
		`"requestId":"r","stage":"$default"CONTEXT},"isBase64Encoded":false EXTRA}`
	urlEvent = `{"version":"2.0","routeKey":"$default","rawPath":"/backups/` + backup + `","requestContext":{"http":{"method":"DELETE"},` +
		`"requestId":"r","stage":"$default","domainName":"x.lambda-url.eu-central-1.on.aws"CONTEXT},"isBase64Encoded":false EXTRA}`
	format1Event = `{"resource":"/{proxy+}","path":"/backups/` + backup + `","httpMethod":"DELETE","pathParameters":{"proxy":"backups/` + backup + `"},` +
		`"requestContext":{"requestId":"r","stage":"prod"CONTEXT},"isBase64Encoded":false EXTRA}`
	albEvent = `{"requestContext":{"elb":{"targetGroupArn":"x"}CONTEXT},"httpMethod":"DELETE","path":"/backups/` + backup + `","isBase64Encoded":false EXTRA}`
)

var fronts = map[string]string{"apigateway-http": format2Event, "function-url": urlEvent, "apigateway-rest": format1Event, "alb": albEvent}

// with returns the event of a front with more members.
func with(front, extra, context string) []byte {
	return []byte(strings.NewReplacer("EXTRA", extra, "CONTEXT", context).Replace(front))
}

// answered decodes a call that asks for nothing and holds its reply against what it must be.
func answered(t *testing.T, payload []byte, status int, says string) {
	t.Helper()
	batch, err := decode(payload)
	if err != nil {
		t.Fatalf("%s: error %v", payload, err)
	}
	if len(batch.Requests) != 0 {
		t.Fatalf("%s: requests %+v", payload, batch.Requests)
	}
	got := httpReply(t, batch)
	if got.StatusCode != status || !strings.Contains(got.Body, says) {
		t.Errorf("%s:\nreply %d %s, want %d that says %q", payload, got.StatusCode, got.Body, status, says)
	}
}

// quotedIn returns a text as it stands in the JSON of a reply.
func quotedIn(s string) string { return strings.ReplaceAll(s, `"`, `\"`) }

// asked decodes a call for one deletion.
func asked(t *testing.T, payload []byte) deletion.Request {
	t.Helper()
	_, got := decodeOne(t, payload)
	return got
}

func TestEnvelopesOfFronts(t *testing.T) {
	for name, front := range fronts {
		t.Run(name, func(t *testing.T) {
			for what, tc := range map[string]struct{ extra, context, says string }{
				"a header twice":             {`,"headers":{"a":"1","a":"1"}`, "", `"a" is given twice`},
				"an object as a header":      {`,"headers":{"a":{"b":"c"}}`, "", "headers.a: a JSON object; expected a string"},
				"headers no object":          {`,"headers":["a"]`, "", "headers: a JSON array"},
				"a body no text":             {`,"body":{"backup_id":"a"}`, "", "body: a JSON object; expected a string"},
				"a body of a number":         {`,"body":5`, "", "body: a JSON number; expected a string"},
				"a text in multi":            {`,"multiValueHeaders":{"a":"b"}`, "", "multiValueHeaders.a: a JSON string; expected an array"},
				"an object in multi":         {`,"multiValueQueryStringParameters":{"a":[{}]}`, "", "multiValueQueryStringParameters.a: a JSON object"},
				"a query twice":              {`,"queryStringParameters":{"region":"a","region":"a"}`, "", `queryStringParameters: an object in which "region" is given twice`},
				"a context member twice":     {"", `,"x":1,"x":2`, `requestContext: an object in which "x" is given twice`},
				"a member of the path twice": {`,"pathParameters":{"backup_id":"a","backup_id":"b"}`, "", `pathParameters: an object in which "backup_id" is given twice`},
			} {
				if strings.Contains(tc.extra, "multiValue") && strings.Contains(front, "2.0") || strings.Contains(tc.extra, "pathParameters") && name != "apigateway-http" && name != "function-url" {
					continue // the front has no such member, or has it already
				}
				if name == "alb" && tc.context != "" {
					continue // it is known by that object alone
				}
				t.Run(what, func(t *testing.T) {
					answered(t, with(front, tc.extra, tc.context), http.StatusBadRequest, quotedIn(tc.says))
				})
			}
			base64 := strings.Replace(front, `"isBase64Encoded":false`, `"isBase64Encoded":"false"`, 1)
			answered(t, with(base64, "", ""), http.StatusBadRequest, "isBase64Encoded: a JSON string; expected true or false")

			// A number, a boolean and null are what they would be in text; names count as they are written.
			for _, extra := range []string{
				`,"headers":{"content-length":0,"dnt":true,"x":null}`, `,"headers":null,"body":null`, `,"queryStringParameters":null`,
				`,"Body":"x","Headers":5,"QueryStringParameters":{"dry_run":"true"},"Path":"/x","RawPath":"/x"`, `,"body":""`,
			} {
				if got := asked(t, with(front, extra, `,"RequestId":"s"`)); got.BackupID != backup || got.Err != nil || got.DryRun {
					t.Errorf("%s: request %+v", extra, got)
				}
			}
			if got := asked(t, with(front, `,"headers":{"traceparent":"`+trace+`"}`, "")); got.TraceParent != trace {
				t.Errorf("request %+v", got)
			}
		})
	}
	// Where its path and its parameters name different backups, nothing is deleted.
	for _, payload := range []string{
		strings.Replace(format2Event, `"$default","rawPath"`, `"DELETE /backups/{backup_id}","rawPath"`, 1),
		strings.Replace(format1Event, `"/{proxy+}"`, `"/backups/{backup_id}"`, 1),
	} {
		payload = strings.Replace(payload, `"pathParameters":{"proxy":"backups/`+backup+`"},`, "", 1)
		answered(t, with(payload, `,"pathParameters":{"backup_id":"another"}`, ""), http.StatusBadRequest, "pathParameters")
		if got := asked(t, with(payload, `,"pathParameters":{"backup_id":"`+backup+`"}`, "")); got.BackupID != backup || got.Err != nil {
			t.Errorf("request %+v", got)
		}
	}
	answered(t, with(format2Event, `,"pathParameters":{"backup_id":"another"}`, ""), http.StatusBadRequest, "pathParameters")
	answered(t, with(format2Event, `,"pathParameters":{"project_id":"another"}`, ""), http.StatusBadRequest, "pathParameters")
	answered(t, []byte(strings.NewReplacer("$default\",\"rawPath", "GET /backups/{backup_id}\",\"rawPath", "EXTRA", "", "CONTEXT", "").Replace(format2Event)),
		http.StatusBadRequest, "routeKey")
}

// Ids of a front are held to the form of all ids.
func TestRequestIDs(t *testing.T) {
	for id, want := range map[string]string{
		`"abc="`: "abc=", `7`: "7", `""`: "invocation", `null`: "invocation", `"a\u0000b"`: "invocation", `"\uFFFF"`: "invocation",
		`"` + strings.Repeat("x", 1025) + `"`: "invocation",
	} {
		for _, front := range []string{format2Event, format1Event} {
			if got := asked(t, with(strings.Replace(front, `"requestId":"r"`, `"requestId":`+id, 1), "", "")); got.ID != want || got.BackupID != backup {
				t.Errorf("%.30s: request %q, want %q", id, got.ID, want)
			}
		}
	}
}

// queryOf returns the members in which each front writes a query of plain characters.
func queryOf(name string, pairs ...string) string {
	single, multi := map[string]string{}, map[string][]string{}
	for _, p := range pairs {
		key, value, _ := strings.Cut(p, "=")
		multi[key] = append(multi[key], value)
		single[key] = value
		if name == "apigateway-http" || name == "function-url" {
			single[key] = strings.Join(multi[key], ",")
		}
	}
	text := func(v any) string {
		b, _ := json.Marshal(v)
		return string(b)
	}
	switch name {
	case "apigateway-rest":
		return `,"queryStringParameters":` + text(single) + `,"multiValueQueryStringParameters":` + text(multi)
	case "alb":
		return `,"multiValueQueryStringParameters":` + text(multi)
	default:
		return `,"rawQueryString":"` + strings.Join(pairs, "&") + `","queryStringParameters":` + text(single)
	}
}

func TestQueries(t *testing.T) {
	for name, front := range fronts {
		t.Run(name, func(t *testing.T) {
			for _, tc := range []struct {
				query []string
				want  deletion.Request
			}{
				{nil, deletion.Request{}},
				{[]string{"dry_run=true"}, deletion.Request{DryRun: true}},
				{[]string{"dry_run=false"}, deletion.Request{}},
				{[]string{"project_id=p", "region=eu-west-101", "dry_run=true"}, deletion.Request{ProjectID: "p", Region: "eu-west-101", DryRun: true}},
				{[]string{"X-Amz-Signature=a", "x-amz-date=b", "X-Amz-Credential=", "X-Amz-Date=c", "region=r"}, deletion.Request{Region: "r"}},
			} {
				got := asked(t, with(front, queryOf(name, tc.query...), ""))
				want := tc.want
				want.BackupID, want.ID, want.Source = backup, got.ID, deletion.Source(name)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%v: request (-want +got):\n%s", tc.query, diff)
				}
			}
			for says, query := range map[string][]string{
				`"projectId" is unknown`:    {"projectId=p"},
				`"DRY_RUN" is unknown`:      {"DRY_RUN=true"},
				`"backup_id" is unknown`:    {"backup_id=" + backup},
				`"X-Amz-" is unknown`:       {"X-Amz-=1"},
				"dry_run is given twice":    {"dry_run=true", "dry_run=true"},
				"project_id is given twice": {"project_id=a", "project_id=b"},
				"region is empty":           {"region="},
				"dry_run is empty":          {"dry_run="},
				`dry_run is "1"`:            {"dry_run=1"},
				`dry_run is "True"`:         {"dry_run=True"},
				`"" is unknown`:             {"=x"},
				`"dry_run[]" is unknown`:    {"dry_run[]=true"},
				"the query: \"x\" is unkno": {"dry_run=false", "x=y"},
			} {
				got := asked(t, with(front, queryOf(name, query...), ""))
				checkRefused(t, got, got.ID, says)
			}
		})
	}
	for name, tc := range map[string]struct{ payload, says string }{
		"joined, the raw one missing": {strings.Replace(format2Event, "EXTRA", `,"queryStringParameters":{"dry_run":"true,false"}`, 1), "dry_run is given twice"},
		"one of two in the list":      {strings.Replace(format1Event, "EXTRA", `,"queryStringParameters":{"region":"a"},"multiValueQueryStringParameters":{"region":["b"]}`, 1), "region is given twice"},
		"a balancer's, encoded":       {strings.Replace(albEvent, "EXTRA", `,"queryStringParameters":{"dry%5Frun":"tru%65x"}`, 1), `dry_run is "truex"`},
		"a bare name":                 {strings.Replace(format2Event, "EXTRA", `,"rawQueryString":"dry_run"`, 1), "dry_run is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			got := asked(t, []byte(strings.Replace(tc.payload, "CONTEXT", "", 1)))
			checkRefused(t, got, got.ID, tc.says)
		})
	}
	for _, extra := range []string{
		`,"rawQueryString":"dry_run=true","queryStringParameters":{"dry_run":"false"}`,
		`,"rawQueryString":"X-Amz-Date=1","queryStringParameters":{"dry_run":"true"}`,
		`,"rawQueryString":"dry_run=true","queryStringParameters":{"region":"r"}`,
		`,"rawQueryString":"dry_run=%zz"`,
	} {
		answered(t, with(format2Event, extra, ""), http.StatusBadRequest, "ueryString")
	}
	v3 := strings.Replace(albEvent, "/backups/", "/v3/p/backups/", 1)
	for _, project := range []string{"p", "q"} {
		got := asked(t, with(v3, `,"queryStringParameters":{"project_id":"`+project+`"}`, ""))
		checkRefused(t, got, got.ID, "project_id: both in the query and in the path")
	}
}

// A DELETE says all that it has to say without a body.
func TestDeleteTakesNoBody(t *testing.T) {
	for name, front := range fronts {
		for _, body := range []string{`,"body":"{\"backup_id\":\"a\"}"`, `,"body":"null"`, `,"body":" "`} {
			got := asked(t, with(front, body, ""))
			checkRefused(t, got, got.ID, "a DELETE takes none")
		}
		encoded := strings.Replace(front, `"isBase64Encoded":false`, `"isBase64Encoded":true`, 1)
		for _, body := range []string{`,"body":"eyJiYWNrdXBfaWQiOiJhIn0="`, `,"body":"{"`} {
			got := asked(t, with(encoded, body, ""))
			checkRefused(t, got, got.ID, "a DELETE takes none")
		}
		if got := asked(t, with(encoded, `,"body":""`, "")); got.Err != nil || got.BackupID != backup {
			t.Errorf("%s: request %+v", name, got)
		}
	}
}

// post is a POST through a function URL.
func post(query, media, body string) []byte {
	headers := `{}`
	if media != "" {
		headers = `{"Content-Type":` + quote(media) + `}`
	}
	return []byte(strings.NewReplacer("DELETE", "POST", "/backups/"+backup, "/deletions", "EXTRA", `,"rawQueryString":`+quote(query)+`,"headers":`+headers+`,"body":`+quote(body), "CONTEXT", "").Replace(urlEvent))
}

func quote(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// A query completes every request of a body, and repeats nothing.
func TestQueriesOfAPost(t *testing.T) {
	const media = "application/json"
	batch, err := decode(post("dry_run=true&project_id=p&region=r", media, `[{"backup_id":"a"},{"backup_ids":["b","c"]}]`))
	if err != nil || len(batch.Requests) != 3 {
		t.Fatalf("requests %+v, error %v", batch.Requests, err)
	}
	for _, r := range batch.Requests {
		if !r.DryRun || r.ProjectID != "p" || r.Region != "r" || r.Err != nil {
			t.Errorf("request %+v", r)
		}
	}
	for says, payload := range map[string][]byte{
		"project_id: both in the query and in the body": post("project_id=p", media, `[{"backup_id":"a"},{"backup_id":"b","project_id":"p"}]`),
		"region: both in the query and in the body":     post("region=p", media, `{"backup_id":"a","region":"q"}`),
		"dry_run: both in the query and in the body":    post("dry_run=true", media, `{"backup_id":"a","dry_run":false}`),
		"is given twice": post("dry_run=true&dry_run=true", media, `{"backup_id":"a"}`),
		"\"x\" is unk":   post("x=1", media, `{"backup_id":"a"}`),
	} {
		got := asked(t, payload)
		checkRefused(t, got, "r", says)
	}
}

func TestContentTypes(t *testing.T) {
	for _, media := range []string{
		"Application/JSON; Charset=UTF-8", "application/json,application/json", "application/json, Application/Json; charset=utf-8", `application/json;charset="utf-8"`,
		"application/json; charset=utf8", "application/json; charset=US-ASCII", "APPLICATION/JSON", "application/json; version=1",
	} {
		if got := asked(t, post("", media, plain)); got.BackupID != backup || got.Err != nil {
			t.Errorf("%s: request %+v", media, got)
		}
	}
	structured := asked(t, post("", "Application/CloudEvents+JSON; charset=UTF-8", cloudEvent(event.RequestType, plain)))
	if structured.ID != "event-7" || structured.Err != nil {
		t.Errorf("request %+v", structured)
	}
	for media, says := range map[string]string{
		"":                                     "Content-Type: missing; expected one of application/json, application/cloudevents+json, application/cloudevents-batch+json",
		"application/json; charset=iso-8859-1": `charset "iso-8859-1" is not supported, only utf-8`,
		"application/json; charset=UTF-16":     `charset "UTF-16"`,
		"application/cloudevents+json; charset=windows-1252": `charset "windows-1252"`,
		"application/json, application/json; charset=latin1": `charset "latin1"`,
		"application/json, text/plain":                       `both "application/json" and "text/plain"`,
		"application/json, application/cloudevents+json":     "both ",
		"application/vnd.api+json":                           `"application/vnd.api+json"; expected one of application/json`,
		"text/plain":                                         `"text/plain"`,
		"json":                                               "expected one of",
		"application/json,":                                  "cannot be read",
		"application/json; charset=utf-8; charset=latin1":    "cannot be read",
	} {
		answered(t, post("", media, plain), http.StatusUnsupportedMediaType, quotedIn(says))
	}
	// A header whose name is written in two ways, or that came in both styles.
	twice := func(headers string) []byte {
		return []byte(strings.NewReplacer("DELETE", "POST", "/backups/"+backup, "/deletions", "EXTRA", headers+`,"body":`+quote(plain), "CONTEXT", "").Replace(albEvent))
	}
	for _, headers := range []string{
		`,"headers":{"Content-Type":"application/json","content-type":"APPLICATION/json"}`,
		`,"headers":{"Content-Type":"application/json"},"multiValueHeaders":{"content-type":["application/json","application/json"]}`,
	} {
		if got := asked(t, twice(headers)); got.BackupID != backup || got.Err != nil {
			t.Errorf("%s: request %+v", headers, got)
		}
	}
	for _, headers := range []string{
		`,"headers":{"Content-Type":"application/json","content-type":"text/plain"}`,
		`,"headers":{"Content-Type":"application/json"},"multiValueHeaders":{"content-type":["text/plain"]}`,
	} {
		answered(t, twice(headers), http.StatusUnsupportedMediaType, "both ")
	}
	if got := asked(t, post("", "application/json", "\ufeff"+plain)); got.BackupID != backup || got.Err != nil {
		t.Errorf("request %+v", got)
	}
	// What is accepted compares without case, too.
	for header, want := range map[string]string{
		`"Accept":"Application/CloudEvents+JSON"`: "application/cloudevents+json", `"ACCEPT":"application/cloudevents+json;Q=0.0"`: "application/json",
		`"Prefer":"REPLY"`: "application/cloudevents+json",
	} {
		payload := strings.Replace(string(post("", "application/cloudevents+json", cloudEvent(event.RequestType, plain))), `{"Content-Type"`, `{`+header+`,"Content-Type"`, 1)
		batch, r := decodeOne(t, []byte(payload))
		if got := httpReply(t, batch, verdictOf(r, "")); got.Headers["Content-Type"] != want {
			t.Errorf("%s: reply %+v, want %s", header, got, want)
		}
	}
}

// The fronts that carry a path below a prefix, and one that takes the prefix away by itself.
func TestBasePath(t *testing.T) {
	format2 := func(route, path, parameters string) string {
		return strings.NewReplacer(`"$default","rawPath":"/backups/`+backup, quote(route)+`,"rawPath":"`+path, "EXTRA", parameters).Replace(format2Event)
	}
	format1 := func(resource, path, parameters string) string {
		return strings.NewReplacer(`"/{proxy+}"`, quote(resource), `"path":"/backups/`+backup, `"path":"`+path, `"pathParameters":{"proxy":"backups/`+backup+`"}`, `"pathParameters":`+parameters, "EXTRA", "").Replace(format1Event)
	}
	const path = "/backups/" + backup
	both := event.Decoder{BasePath: "/dds"}
	for name, payload := range map[string]string{
		"an API mapping, default route":        format2("$default", "/dds"+path, ""),
		"an API mapping without its prefix":    format2("$default", path, ""),
		"a greedy route below it":              format2("ANY /dds/{proxy+}", "/dds"+path, `,"pathParameters":{"proxy":"backups/`+backup+`"}`),
		"a greedy route below it, stage":       strings.Replace(format2("ANY /dds/{proxy+}", "/prod/dds"+path, `,"pathParameters":{"proxy":"backups/`+backup+`"}`), `"stage":"$default"`, `"stage":"prod"`, 1),
		"a route below it":                     format2("DELETE /dds/backups/{backup_id}", "/dds"+path, `,"pathParameters":{"backup_id":"`+backup+`"}`),
		"the default route of a stage":         strings.Replace(format2("$default", "/prod/dds"+path+"/", ""), `"stage":"$default"`, `"stage":"prod"`, 1),
		"a REST resource below it":             format1("/dds/backups/{backup_id}", "/dds"+path, `{"backup_id":"`+backup+`"}`),
		"a REST resource, base path mapping":   format1("/backups/{backup_id}", "/dds"+path, `{"backup_id":"`+backup+`"}`),
		"a REST proxy below it, other mapping": format1("/dds/{proxy+}", "/other/dds"+path, `{"proxy":"backups/`+backup+`"}`),
		"a REST proxy at the root":             format1("/{proxy+}", "/dds"+path, `{"proxy":"dds/backups/`+backup+`"}`),
		"format 1.0, default route":            format1("$default", "/dds"+path, "null"),
		"a load balancer":                      strings.Replace(albEvent, path, "/dds"+path, 1),
		"a function URL":                       strings.Replace(urlEvent, path, "/dds"+path, 1),
		"a function URL, another project":      strings.Replace(urlEvent, path, "/dds/v3/"+project+path, 1),
	} {
		t.Run(name, func(t *testing.T) {
			batch, err := both.Decode(with(payload, "", ""), event.Invocation{ID: "i"})
			if err != nil || len(batch.Requests) != 1 || batch.Requests[0].BackupID != backup || batch.Requests[0].Err != nil {
				t.Fatalf("requests %+v, error %v\n%s", batch, err, payload)
			}
			// GET /healthz, below the same prefix, does nothing.
			health := strings.NewReplacer("DELETE", "GET", "backups/{backup_id}", "healthz", "v3/"+project+path, "healthz", path[1:], "healthz").Replace(payload)
			health = strings.NewReplacer(`{"backup_id":"`+backup+`"}`, "null").Replace(health)
			batch, err = both.Decode(with(health, "", ""), event.Invocation{ID: "i"})
			if err != nil || len(batch.Requests) != 0 {
				t.Fatalf("requests %+v, error %v\n%s", batch, err, health)
			}
			if got := httpReply(t, batch); got.StatusCode != http.StatusOK || got.Body != `{"status":"ok"}` {
				t.Errorf("reply %+v\n%s", got, health)
			}
		})
	}
	// Without the setting, and for what only looks like the prefix, there is no such path.
	alb := func(path string) []byte {
		return with(strings.Replace(albEvent, "/backups/"+backup, path, 1), "", "")
	}
	answered(t, alb("/dds"+path), http.StatusNotFound, "HTTP_BASE_PATH")
	for _, other := range []string{"/ddsx" + path, "/dds/dds" + path, "/DDS" + path, "/dds/" + path, "//dds" + path, "/dds/.." + path, "/%64ds" + path, "/x/dds" + path} {
		batch, err := both.Decode(alb(other), event.Invocation{ID: "i"})
		if err != nil || len(batch.Requests) != 0 {
			t.Fatalf("%s: requests %+v, error %v", other, batch, err)
		}
		if got := httpReply(t, batch); got.StatusCode != http.StatusNotFound || !strings.Contains(got.Body, `HTTP_BASE_PATH, which is \"/dds\"`) || !strings.Contains(got.Body, "DELETE /backups/{backup_id}") {
			t.Errorf("%s: reply %+v", other, got)
		}
	}
}

// No path is cleaned: what leads elsewhere once it is, leads nowhere.
func TestPathsAreNotCleaned(t *testing.T) {
	for path, status := range map[string]int{
		"//backups/a": 404, "/backups//a": 404, "/backups/a//": 404, "/./backups/a": 404, "/backups/./a": 404, "/backups/x/../a": 404, "/x/../backups/a": 404,
		"/backups/a/.": 404, "/backups/a/b": 404, "/backups%2Fa": 404, "/v3/p//backups/a": 404, "/v3/p/q/../backups/a": 404, "/BACKUPS/a": 404, "/backups": 404, "/healthz/x": 404,
	} {
		answered(t, marshal(t, httpAPI("DELETE", path, "")), status, "there is no path")
		answered(t, marshal(t, restAPI("DELETE", path, "")), status, "there is no path")
		answered(t, marshal(t, alb("DELETE", path, "")), status, "there is no path")
	}
}

func TestHealth(t *testing.T) {
	for name, front := range fronts {
		t.Run(name, func(t *testing.T) {
			path := strings.NewReplacer("/backups/"+backup, "/healthz", "backups/"+backup, "healthz").Replace(front)
			for _, method := range []string{"GET", "HEAD"} {
				batch, err := decode(with(strings.Replace(path, "DELETE", method, 1), `,"queryStringParameters":{"x":"y"},"headers":{"user-agent":"ELB-HealthChecker/2.0"},"body":""`, ""))
				if err != nil || len(batch.Requests) != 0 {
					t.Fatalf("requests %+v, error %v", batch, err)
				}
				if got := httpReply(t, batch); got.StatusCode != http.StatusOK || (got.Body == "") != (method == "HEAD") {
					t.Errorf("%s: reply %+v", method, got)
				}
			}
			for _, method := range []string{"DELETE", "POST", "PUT", "OPTIONS", "get"} {
				batch, err := decode(with(strings.Replace(path, "DELETE", method, 1), "", ""))
				if err != nil || len(batch.Requests) != 0 {
					t.Fatalf("requests %+v, error %v", batch, err)
				}
				if got := httpReply(t, batch); got.StatusCode != http.StatusMethodNotAllowed || got.Headers["Allow"] != "GET, HEAD" {
					t.Errorf("%s: reply %+v", method, got)
				}
			}
		})
	}
}

// long is an outcome with as many words as DDS has, and worse ones than it has.
func long(r deletion.Request, i int) deletion.Outcome {
	r.ProjectID, r.BackupID = strings.Repeat("p", 64), fmt.Sprintf("%064d", i)
	o := deletion.Outcome{Request: r, Status: deletion.Accepted, JobID: fmt.Sprintf("%064d", i)}
	if i%2 == 0 {
		o.Status, o.Err = deletion.Retry, &deletion.Error{
			Class: deletion.ClassUnauthenticated, Code: "DBS.280001", Message: strings.Repeat(`<"`, 256), HTTPStatus: 400, DDSRequestID: strings.Repeat("d", 64), RetryAfter: time.Hour,
		}
	}
	if i%5 == 0 { // with a job, and the longest wait
		o.JobID, o.Err = fmt.Sprintf("%064d", i), &deletion.Error{Class: deletion.ClassUndelivered, Message: strings.Repeat(`"`, 512), RetryAfter: 2 * time.Hour}
		o.Status = deletion.Retry
	}
	o.Event = deletion.Event{JSON: []byte(`{"x":"` + strings.Repeat("x", 1500) + `"}`)}
	return o
}

// A load balancer takes replies of 1 MB. A longer one is shortened, and keeps every job; one that could
// not be shortened enough is refused before anything is deleted.
func TestLongReplies(t *testing.T) {
	ids := make([]string, 1000)
	var eventsOf strings.Builder
	for i := range ids {
		ids[i] = fmt.Sprintf("%064d", i)
		fmt.Fprintf(&eventsOf, `,{"specversion":"1.0","id":"3711e2ad-5787-49bc-a47f-3f0b066a%04d","source":"s","type":%q,"data":{"backup_id":"a"}}`, i, event.RequestType)
	}
	list := string(marshal(t, map[string]any{"backup_ids": ids}))
	for name, tc := range map[string]struct {
		headers map[string]string
		body    string
		status  int
		retry   bool
	}{
		"a list":                    {map[string]string{"content-type": "application/json"}, list, 207, true},
		"events":                    {map[string]string{"content-type": "application/cloudevents-batch+json"}, "[" + eventsOf.String()[1:] + "]", 503, true},
		"events with verdicts":      {map[string]string{"content-type": "application/cloudevents-batch+json"}, "[" + eventsOf.String()[1:] + "]", 200, false},
		"events answered by events": {map[string]string{"content-type": "application/cloudevents-batch+json", "accept": "application/cloudevents-batch+json"}, "[" + eventsOf.String()[1:] + "]", 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			in := alb("POST", "/deletions", tc.body)
			in.Headers = maps.Clone(tc.headers)
			batch, err := decode(marshal(t, in))
			if err != nil || len(batch.Requests) != 1000 {
				t.Fatalf("%d requests, error %v", len(batch.Requests), err)
			}
			outcomes := make([]deletion.Outcome, len(batch.Requests))
			jobs := 0
			for i, r := range batch.Requests {
				outcomes[i] = long(r, i)
				if !tc.retry && outcomes[i].Status == deletion.Retry {
					outcomes[i].Status, outcomes[i].Err.Class, outcomes[i].JobID = deletion.NotFound, deletion.ClassNotFound, ""
				}
				if outcomes[i].JobID != "" {
					jobs++
				}
			}
			reply, err := batch.Reply(outcomes)
			if err != nil || len(reply) >= 1_000_000 {
				t.Fatalf("a reply of %d bytes, error %v", len(reply), err)
			}
			got := httpReply(t, batch, outcomes...)
			var body struct {
				Results []deletion.Data
			}
			if err := json.Unmarshal([]byte(got.Body), &body); err != nil || got.StatusCode != tc.status || len(body.Results) != 1000 {
				t.Fatalf("status %d, %d results, error %v", got.StatusCode, len(body.Results), err)
			}
			for i, r := range body.Results {
				if r.JobID != outcomes[i].JobID || r.BackupID != outcomes[i].Request.BackupID || r.Status != outcomes[i].Status {
					t.Fatalf("result %d: %+v", i, r)
				}
				if r.JobID != "" {
					jobs--
				}
			}
			if jobs != 0 {
				t.Errorf("%d jobs are missing", jobs)
			}
		})
	}
	// The same list through another front has room for all words.
	batch, err := decode(marshal(t, httpAPI("POST", "/deletions", list)))
	if err != nil {
		t.Fatal(err)
	}
	outcomes := make([]deletion.Outcome, len(batch.Requests))
	for i, r := range batch.Requests {
		outcomes[i] = long(r, i)
	}
	if got := httpReply(t, batch, outcomes...); !strings.Contains(got.Body, strings.Repeat(`\"`, 512)) {
		t.Error("words are missing that there was room for")
	}
	for id, front := range map[string]func(body string) []byte{
		strings.Repeat("ü", 500): func(body string) []byte {
			in := alb("POST", "/deletions", body)
			in.Headers["content-type"] = "application/cloudevents+json"
			return marshal(t, in)
		},
		strings.Repeat("<", 1024): func(body string) []byte {
			return marshal(t, withType(httpAPI("POST", "/deletions", body), "application/cloudevents+json"))
		},
	} {
		body := strings.Replace(cloudEvent(event.RequestType, list), "event-7", id, 1)
		answered(t, front(body), http.StatusRequestEntityTooLarge, "fewer deletions")
	}
}

// No reply speaks of what this program is written in.
func TestRepliesNameNoGoTypes(t *testing.T) {
	for _, front := range fronts {
		for _, member := range []string{"headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body", "rawQueryString", "isBase64Encoded"} {
			for _, value := range []string{`5`, `"a"`, `[1]`, `{"a":{"b":[]}}`, `[{}]`, `true`, `null`, `{"a":["b",{}]}`} {
				if strings.Contains(front, `"`+member+`"`) {
					continue
				}
				batch, err := decode(with(front, `,"`+member+`":`+value, ""))
				if err != nil {
					t.Fatalf("%s %s: error %v", member, value, err)
				}
				outcomes := make([]deletion.Outcome, len(batch.Requests))
				for i, r := range batch.Requests {
					outcomes[i] = outcome(r, deletion.ClassInvalid)
					if r.Err != nil {
						outcomes[i].Err = r.Err
					}
				}
				reply, err := batch.Reply(outcomes)
				if err != nil || strings.Contains(string(reply), "Go ") || strings.Contains(string(reply), "map[") || strings.Contains(string(reply), "unmarshal") {
					t.Errorf("%s %s: reply %s, error %v", member, value, reply, err)
				}
			}
		}
	}
}
