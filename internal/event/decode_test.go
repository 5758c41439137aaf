package event_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
)

const (
	backup  = "8d9586c40b33449a815518d4635a2cd9br02"
	project = "0549b4a43100d4f32f51c01c2fe4acdb"
	trace   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

// marshal returns v in JSON: payloads are built from the library's own types.
func marshal(tb testing.TB, v any) []byte {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func sqs(bodies ...string) events.SQSEvent {
	batch := events.SQSEvent{Records: []events.SQSMessage{}}
	for i, body := range bodies {
		batch.Records = append(batch.Records, events.SQSMessage{
			MessageId: fmt.Sprintf("message-%d", i), Body: body, EventSource: "aws:sqs",
			EventSourceARN: "arn:aws:sqs:eu-central-1:123456789012:requests",
		})
	}
	return batch
}

func httpAPI(method, path, body string) events.APIGatewayV2HTTPRequest {
	r := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RawPath: path, Body: body,
		Headers: map[string]string{"content-type": "application/json"},
	}
	r.RequestContext.RequestID = "api-request"
	r.RequestContext.Stage = "$default"
	r.RequestContext.HTTP.Method = method
	return r
}

func decode(payload []byte) (*event.Batch, error) {
	return new(event.Decoder).Decode(payload, event.Invocation{ID: "invocation"})
}

// decodeOne decodes a payload of one request.
func decodeOne(t *testing.T, payload []byte) (*event.Batch, deletion.Request) {
	t.Helper()
	batch, err := decode(payload)
	if err != nil {
		t.Fatal(err)
	}
	if len(batch.Requests) != 1 {
		t.Fatalf("%d requests, want one", len(batch.Requests))
	}
	return batch, batch.Requests[0]
}

func TestDecode(t *testing.T) {
	withTrace := sqs(`{"backup_id":"` + backup + `"}`)
	withTrace.Records[0].MessageAttributes = map[string]events.SQSMessageAttribute{
		"traceparent": {StringValue: ptr(trace), DataType: "String"},
	}
	staged := httpAPI("DELETE", "/prod/backups/"+backup+"/", "")
	staged.RequestContext.Stage = "prod"
	staged.Headers = map[string]string{"Traceparent": trace}
	encoded := httpAPI("POST", "/deletions", base64.StdEncoding.EncodeToString([]byte(`{"backup_id":"`+backup+`"}`)))
	encoded.IsBase64Encoded = true
	unnamed := httpAPI("DELETE", "/backups/"+backup, "")
	unnamed.RequestContext.RequestID = ""

	for name, tc := range map[string]struct {
		payload []byte
		want    deletion.Request
	}{
		"direct":                 {[]byte(`{"backup_id":"` + backup + `"}`), deletion.Request{ID: "invocation", MessageID: "invocation", Source: "direct", BackupID: backup}},
		"direct, DDS's spelling": {[]byte(`{"backups_id":"` + backup + `"}`), deletion.Request{ID: "invocation", MessageID: "invocation", Source: "direct", BackupID: backup, Field: "backups_id"}},
		"direct with a project":  {[]byte(" {\n\"project_id\":\"" + project + `","backup_id":"` + backup + "\"}\n"), deletion.Request{ID: "invocation", MessageID: "invocation", Source: "direct", BackupID: backup, ProjectID: project}},
		"direct, all members": {
			[]byte(`{"metadata": {"x": [1, {"backup_id": "no"}]},"backup_id":"` + backup + `","dry_run":true,"region":"cn-north-4","traceparent":"` + trace + `"}`),
			deletion.Request{ID: "invocation", MessageID: "invocation", Source: "direct", BackupID: backup, DryRun: true, Metadata: []byte(`{"x":[1,{"backup_id":"no"}]}`), Region: "cn-north-4", TraceParent: trace},
		},
		"direct, escaped":         {[]byte(`{"backup\u005fid":"\u0038d9586c40b33449a815518d4635a2cd9br02"}`), deletion.Request{ID: "invocation", MessageID: "invocation", Source: "direct", BackupID: backup}},
		"sqs":                     {marshal(t, sqs(`{"backup_id":"`+backup+`"}`)), deletion.Request{ID: "message-0", MessageID: "message-0", Source: "sqs", BackupID: backup}},
		"sqs with a trace":        {marshal(t, withTrace), deletion.Request{ID: "message-0", MessageID: "message-0", Source: "sqs", BackupID: backup, TraceParent: trace}},
		"http":                    {marshal(t, httpAPI("DELETE", "/backups/"+backup, "")), deletion.Request{ID: "api-request", Source: "apigateway-http", BackupID: backup}},
		"http, DDS's path":        {marshal(t, httpAPI("DELETE", "/v3/"+project+"/backups/"+backup, "")), deletion.Request{ID: "api-request", Source: "apigateway-http", ProjectID: project, BackupID: backup}},
		"http, stage and slash":   {marshal(t, staged), deletion.Request{ID: "api-request", Source: "apigateway-http", BackupID: backup, TraceParent: trace}},
		"http, body":              {marshal(t, httpAPI("POST", "/deletions", `{"backup_id":"`+backup+`"}`)), deletion.Request{ID: "api-request", Source: "apigateway-http", BackupID: backup}},
		"http, base64 body":       {marshal(t, encoded), deletion.Request{ID: "api-request", Source: "apigateway-http", BackupID: backup}},
		"http without request id": {marshal(t, unnamed), deletion.Request{ID: "invocation", Source: "apigateway-http", BackupID: backup}},
	} {
		t.Run(name, func(t *testing.T) {
			batch, got := decodeOne(t, tc.payload)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if batch.Source != tc.want.Source {
				t.Errorf("source %s, want %s", batch.Source, tc.want.Source)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

// outcomeEvent is an event as this program publishes it.
const outcomeEvent = `{"specversion":"1.0","id":"0a25","source":"urn:huaweicloud:dds:cn-north-4:` + project + `",` +
	`"type":"dds.backup.deletion.accepted.v1","subject":"` + backup + `","datacontenttype":"application/json","data":` + outcomeData + `}`

const outcomeData = `{"request_id":"message-1","project_id":"` + project + `","backup_id":"` + backup + `","job_id":"3711e2ad","status":"accepted"}`

// badBodies are bodies that were addressed to us and are no request, and what is said of them.
var badBodies = map[string]struct{ body, says string }{
	"malformed":            {`{"backup_id": "`, "malformed JSON at byte 15 of 15"},
	"nothing":              {``, "the body is empty; expected a JSON object"},
	"white space":          {" \n", "the body is empty"},
	"two values":           {`{"backup_id":"a"} {"backup_id":"b"}`, "malformed JSON"},
	"base64":               {`eyJiYWNrdXBfaWQiOiJhIn0=`, "malformed JSON"},
	"an array":             {`["a"]`, "no element is a request; the first is a JSON string"},
	"a string":             {`"a"`, "a JSON string"},
	"no id":                {`{"id":"a"}`, "backup_id: missing"},
	"another case":         {`{"Backup_ID":"a"}`, `"Backup_ID": unknown member; did you mean "backup_id"?`},
	"id a number":          {`{"backup_id":5}`, "backup_id: a JSON number; expected a string"},
	"id null":              {`{"backups_id":null}`, "backups_id: a JSON null; expected a string"},
	"id a list":            {`{"backup_id":["a","b"]}`, "backup_id: a JSON array; expected a string"},
	"both spellings":       {`{"backup_id":"a","backups_id":"b"}`, "both given"},
	"an id twice":          {`{"backup_id":"a","backup_id":"b"}`, `"backup_id" is given twice`},
	"project a number":     {`{"backup_id":"a","project_id":5}`, "project_id: a JSON number"},
	"project empty":        {`{"backup_id":"a","project_id":""}`, `project_id: the string ""; expected a string that is not empty`},
	"a foreign status":     {`{"backup_id":"a","status":"done"}`, "the data of an outcome"},
	"an SNS notification":  {`{"Type":"Notification","TopicArn":"arn","Message":"{}","backup_id":"a"}`, "backup_id: missing"},
	"an EventBridge event": {`{"detail-type":"x","detail":{"backup_id":"a"},"backup_id":"a"}`, "an event of detail-type \"x\"; expected \"dds.backup.deletion.requested.v1\""},
	"an event of a kind":   {`{"type":"com.example.backup.created","source":"x","backup_id":"a"}`, "an event of type"},
	"a foreign CloudEvent": {`{"specversion":"1.0","type":"com.example","data":{},"backup_id":"a"}`, "a CloudEvent of type \"com.example\"; expected \"dds.backup.deletion.requested.v1\""},
}

func TestBadBodies(t *testing.T) {
	for name, tc := range badBodies {
		t.Run("sqs, "+name, func(t *testing.T) {
			payload := marshal(t, sqs(`{"backup_id":"first"}`, tc.body, `{"backup_id":"last"}`))
			batch, err := decode(payload)
			if err != nil {
				t.Fatal(err)
			}
			if got := batch.Requests; got[0].Err != nil || got[0].BackupID != "first" || got[2].Err != nil || got[2].BackupID != "last" {
				t.Errorf("a bad record harmed another: %+v", got)
			}
			checkRefused(t, batch.Requests[1], "message-1", tc.says)
		})
		t.Run("http, "+name, func(t *testing.T) {
			_, got := decodeOne(t, marshal(t, httpAPI("POST", "/deletions", tc.body)))
			checkRefused(t, got, "api-request", tc.says)
		})
	}
}

// What we published must neither be taken for a request nor rejected: a rejection is published
// too, and would come back the same way.
func TestOwnEvents(t *testing.T) {
	quoted := string(marshal(t, outcomeEvent))
	for name, body := range map[string]string{
		"bare":                outcomeEvent,
		"the data alone":      outcomeData,
		"a rejection's data":  `{"request_id":"m","project_id":"p","status":"rejected","error":{"class":"invalid","message":"m"}}`,
		"on a bus":            `{"version":"0","id":"i","detail-type":"dds.backup.deletion.accepted.v1","source":"dds-backup-delete","detail":` + outcomeEvent + `}`,
		"in a notification":   `{"Type":"Notification","TopicArn":"arn","Message":` + quoted + `}`,
		"with a backup_id":    `{"type":"dds.backup.deletion.not_found.v1","backup_id":"a"}`,
		"detail alone":        `{"detail":` + outcomeData + `}`,
		"data alone":          `{"data":` + outcomeData + `}`,
		"a list":              `[` + outcomeData + `,` + outcomeData + `]`,
		"a dry run's":         `{"type":"dds.backup.deletion.simulated.v1"}`,
		"an abandoned one":    `{"type":"dds.backup.deletion.abandoned.v1"}`,
		"a completed one":     strings.ReplaceAll(outcomeEvent, "accepted", "completed"),
		"a failed one's data": strings.ReplaceAll(outcomeData, "accepted", "failed"),
		"an abandoned data":   strings.ReplaceAll(outcomeData, "accepted", "abandoned"),
		"a parked one's":      destination("Success", plain, strings.ReplaceAll(outcomeData, "accepted", "retry")),
		"cut off":             outcomeEvent[:len(outcomeEvent)-5],
		"written out":         "{\n  \"type\" : \"dds.backup.deletion.accepted.v1\",\n  \"backup_id\": \"a\"}",
		"in a text":           quoted,
		"in a text in a text": string(marshal(t, quoted)),
		"of a pipe":           `{"messageId":"m","body":` + quoted + `,"eventSource":"aws:sqs"}`,
		"of a pipe, listed":   `[{"messageId":"m","body":` + quoted + `}]`,
		"of a transformer":    `{"event":` + outcomeEvent + `,"rule":"r"}`,
		"a queue's event":     string(marshal(t, sqs(outcomeEvent))),
		"a call":              string(marshal(t, httpAPI("POST", "/deletions", outcomeEvent))),
		"bus in a topic":      string(marshal(t, map[string]string{"Type": "Notification", "TopicArn": "arn", "Message": `{"detail-type":"dds.backup.deletion.accepted.v1","detail":` + outcomeEvent + `}`})),
	} {
		t.Run(name, func(t *testing.T) {
			batch, err := decode(marshal(t, sqs(`{"backup_id":"first"}`, body, `{"backup_id":"last"}`)))
			if err != nil {
				t.Fatal(err)
			}
			if !cmp.Equal(batch.OwnEvents, []string{"message-1"}) || len(batch.Requests) != 2 || batch.Requests[1].ID != "message-2" {
				t.Errorf("own events %v, requests %+v", batch.OwnEvents, batch.Requests)
			}
			batch, err = decode(marshal(t, httpAPI("POST", "/deletions", body)))
			if err != nil || len(batch.Requests) != 0 {
				t.Fatalf("requests %+v, error %v", batch.Requests, err)
			}
			if got := httpReply(t, batch); got.StatusCode != http.StatusBadRequest {
				t.Errorf("reply %+v", got)
			}
		})
	}
	// What is only wrong, and speaks of an outcome, is told so.
	for _, body := range []string{
		`{"backup_id":5,"because":"dds.backup.deletion.not_found.v1"}`,
		`{"backup_id":"a","region":null,"notify":["dds.backup.deletion.accepted.v1"]}`,
		`{"backup_id":"a","request_id":"mine","status":"accepted"}`,
	} {
		if _, r := decodeOne(t, marshal(t, sqs(body))); r.Err == nil {
			t.Errorf("%s was taken", body)
		}
	}
	// A request may speak of one in its metadata.
	if _, r := decodeOne(t, []byte(`{"backup_id":"a","metadata":{"because":{"type":"dds.backup.deletion.not_found.v1"}}}`)); r.Err != nil {
		t.Errorf("error %v", r.Err)
	}
}

func checkRefused(t *testing.T, r deletion.Request, id, says string) {
	t.Helper()
	if r.Err == nil || r.Err.Class != deletion.ClassInvalid || !strings.Contains(r.Err.Message, says) {
		t.Errorf("error %+v, want one that says %q", r.Err, says)
	}
	if r.ID != id || r.BackupID != "" {
		t.Errorf("request %q for backup %q, want %q for none", r.ID, r.BackupID, id)
	}
}

func TestBodiesThatAreNoText(t *testing.T) {
	latin1 := httpAPI("POST", "/deletions", base64.StdEncoding.EncodeToString([]byte("{\"backup_id\":\"\xe4\"}")))
	latin1.IsBase64Encoded = true
	_, got := decodeOne(t, marshal(t, latin1))
	checkRefused(t, got, "api-request", "not UTF-8")

	broken := httpAPI("POST", "/deletions", "{not base64}")
	broken.IsBase64Encoded = true
	_, got = decodeOne(t, marshal(t, broken))
	checkRefused(t, got, "api-request", "12 characters that are not base64")
}

// In binary mode the body of a CloudEvent looks like any other; its headers tell.
func TestCloudEventInBinaryMode(t *testing.T) {
	for _, in := range []events.APIGatewayV2HTTPRequest{
		httpAPI("POST", "/deletions", `{"backup_id":"`+backup+`"}`), httpAPI("DELETE", "/backups/"+backup, ""),
	} {
		in.Headers["ce-specversion"], in.Headers["ce-type"] = "1.0", "com.example.backup.created"
		_, got := decodeOne(t, marshal(t, in))
		checkRefused(t, got, "api-request", "it is a CloudEvent")
	}
}

func TestOnlyHTTPHasALimit(t *testing.T) {
	for payload, want := range map[string]time.Duration{
		string(marshal(t, httpAPI("DELETE", "/backups/a", ""))): 25 * time.Second,
		string(marshal(t, sqs(`{"backup_id":"a"}`))):            0,
		`{"backup_id":"a"}`: 0,
	} {
		if batch, _ := decodeOne(t, []byte(payload)); batch.Limit != want {
			t.Errorf("%s has %v, want %v", batch.Source, batch.Limit, want)
		}
	}
}

func TestEmptyBatch(t *testing.T) {
	batch, err := decode([]byte(`{"Records":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	reply, err := batch.Reply(nil)
	if err != nil || len(batch.Requests) != 0 || string(reply) != `{"batchItemFailures":[]}` {
		t.Errorf("%d requests, reply %s, error %v", len(batch.Requests), reply, err)
	}
}

func TestUnknownPayloads(t *testing.T) {
	nameless := sqs(`{"backup_id":"a"}`, `{"backup_id":"b"}`)
	nameless.Records[1].MessageId = ""
	for name, tc := range map[string]struct {
		payload string
		says    []string
	}{
		"not JSON":      {`backup_id=a`, []string{"malformed JSON at byte 1 of 11"}},
		"nothing":       {``, []string{"the payload is empty; expected a JSON object"}},
		"not UTF-8":     {"{\"backup_id\":\"\xff\"}", []string{"not UTF-8"}},
		"a text":        {`"a"`, []string{"a JSON string; expected a JSON object"}},
		"nothing in it": {`{}`, []string{"an empty JSON object", "docs/sources.md"}},
		"anything":      {`{"hello":"world","a":1}`, []string{`a JSON object with "hello", "a"`, "of no known source"}},
		"S3":            {`{"Records":[{"eventSource":"aws:s3","s3":{"object":{"key":"k"}}}]}`, []string{`a batch of records of Amazon S3 or Huawei Cloud OBS ("aws:s3")`}},
		"a DynamoDB stream": {
			`{"Records":[{"eventSource":"aws:dynamodb","dynamodb":{"NewImage":{"backup_id":{"S":"a"}}}}]}`, []string{`a batch of records of Amazon DynamoDB Streams ("aws:dynamodb")`},
		},
		"Kinesis":            {`{"Records":[{"eventSource":"aws:kinesis","kinesis":{"data":"e30="}}]}`, []string{`a batch of records of Amazon Kinesis Data Streams ("aws:kinesis")`}},
		"CloudFront":         {`{"Records":[{"cf":{}}]}`, []string{"a CloudFront event"}},
		"DocumentDB":         {`{"eventSource":"aws:docdb","events":[]}`, []string{`an event of Amazon DocumentDB ("aws:docdb")`}},
		"Cognito":            {`{"version":"1","triggerSource":"PreSignUp_SignUp","userPoolId":"p","request":{"backup_id":"a"}}`, []string{"a Cognito user pool trigger"}},
		"CodePipeline":       {`{"CodePipeline.job":{"id":"j"}}`, []string{"a CodePipeline job"}},
		"CloudWatch Logs":    {`{"awslogs":{"data":"H4sI"}}`, []string{"a CloudWatch Logs subscription event"}},
		"Firehose":           {`{"invocationId":"i","deliveryStreamArn":"arn","records":[]}`, []string{"an Amazon Data Firehose event"}},
		"CloudFormation":     {`{"RequestType":"Delete","ResponseURL":"https://x","ResourceProperties":{"backup_id":"a"}}`, []string{"a CloudFormation custom resource request"}},
		"a WebSocket":        {`{"requestContext":{"connectionId":"c","eventType":"MESSAGE"},"body":"{\"backup_id\":\"a\"}"}`, []string{"an API Gateway WebSocket event"}},
		"an authorizer":      {`{"type":"TOKEN","methodArn":"arn","authorizationToken":"t"}`, []string{"an API Gateway authorizer event"}},
		"outcome's data":     {outcomeData, []string{"it is the data of an outcome"}},
		"a list of outcomes": {`[` + outcomeData + `]`, []string{"direct: ", "it is the data of an outcome"}},
		"a foreign type":     {`{"type":"com.example","backup_id":"a"}`, []string{`it is an event of type "com.example"`}},
		"Records no list":    {`{"Records":5,"backup_id":"a"}`, []string{`it is an envelope (it has "Records")`}},
		"a record no object": {`{"Records":["a"]}`, []string{`a JSON object with "Records"`}},
		"a later record no object": {
			strings.Replace(string(marshal(t, sqs(`{"backup_id":"a"}`))), "]}", `,"b"]}`, 1), []string{"sqs: record 1 is a JSON string"},
		},
		"no message id": {string(marshal(t, nameless)), []string{"sqs: record 1: messageId: missing or empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode([]byte(tc.payload))
			var failure *event.FunctionError
			if !errors.As(err, &failure) || failure.Type != "DDS.Invalid" {
				t.Fatalf("error %v, want a FunctionError of type DDS.Invalid", err)
			}
			for _, says := range tc.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("error %q does not say %q", err, says)
				}
			}
		})
	}
}

// What a payload says must reach the message only where it is harmless and short.
func TestErrorsStayShort(t *testing.T) {
	payload := fmt.Sprintf(`{"version":%q,"type":"dds.backup.deletion.%s","Records":[{"eventSource":%q}]}`,
		strings.Repeat("v", 5000), strings.Repeat("t", 5000), strings.Repeat("s", 5000))
	_, err := decode([]byte(payload))
	if err == nil || len(err.Error()) > 1000 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

func TestManyMembers(t *testing.T) {
	var members []string
	for i := range 10_001 {
		members = append(members, fmt.Sprintf(`"m%d":0`, i))
	}
	_, err := decode([]byte("{" + strings.Join(members, ",") + "}"))
	if err == nil || !strings.Contains(err.Error(), "more than 10000 members") {
		t.Errorf("error %v", err)
	}
}
