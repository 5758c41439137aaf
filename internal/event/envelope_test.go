package event_test

import (
	"encoding/base64"
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

const plain = `{"backup_id":"` + backup + `"}`

// sentAt is the time in the envelopes that have one.
var sentAt = time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC)

// cloudEvent is a structured CloudEvent with that type and data.
func cloudEvent(eventType, data string) string {
	return `{"specversion":"1.0","id":"event-7","source":"/teams/dba","type":"` + eventType + `","datacontenttype":"application/json",` +
		`"traceparent":"` + trace + `","data":` + data + `}`
}

// busEvent is an EventBridge event with that type and detail.
func busEvent(detailType, detail string) string {
	return `{"version":"0","id":"bus-event-1","detail-type":"` + detailType + `","source":"com.example.dba","account":"123456789012",` +
		`"time":"2026-11-23T21:00:00Z","region":"eu-central-1","resources":[],"detail":` + detail + `}`
}

// notification is what a topic delivers to a queue.
func notification(tb testing.TB, message string) string {
	tb.Helper()
	return `{"Type":"Notification","MessageId":"notification-1","TopicArn":"arn:aws:sns:eu-central-1:123456789012:requests","Message":` +
		string(marshal(tb, message)) + `,"Timestamp":"2026-11-23T21:00:00.000Z"}`
}

// destination is what Lambda sends to a destination of an asynchronous invocation.
func destination(condition, request, response string) string {
	return `{"version":"1.0","timestamp":"2026-11-23T21:00:00.000Z","requestContext":{"requestId":"async-1",` +
		`"functionArn":"arn:aws:lambda:eu-central-1:123456789012:function:f:$LATEST","condition":"` + condition + `","approximateInvokeCount":3},` +
		`"requestPayload":` + request + `,"responseContext":{"statusCode":200,"executedVersion":"$LATEST"},"responsePayload":` + response + `}`
}

// Whatever a request is wrapped in, the innermost id is what whoever asked was told.
func TestEnvelopes(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want deletion.Request // with the id of the message, where no envelope has one
	}{
		"none":                     {plain, deletion.Request{}},
		"a trace of its own":       {`{"backup_id":"` + backup + `","traceparent":"` + trace + `"}`, deletion.Request{TraceParent: trace}},
		"a broken trace":           {`{"backup_id":"` + backup + `","traceparent":"x"}`, deletion.Request{}},
		"topic":                    {notification(t, plain), deletion.Request{SentAt: sentAt, ID: "notification-1"}},
		"bus":                      {busEvent(event.RequestType, plain), deletion.Request{SentAt: sentAt, ID: "bus-event-1"}},
		"event":                    {cloudEvent(event.RequestType, plain), deletion.Request{ID: "event-7", Origin: "/teams/dba", TraceParent: trace}},
		"event on a bus":           {busEvent(event.RequestType, cloudEvent(event.RequestType, plain)), deletion.Request{SentAt: sentAt, ID: "event-7", Origin: "/teams/dba", TraceParent: trace}},
		"event on a topic":         {notification(t, cloudEvent(event.RequestType, plain)), deletion.Request{SentAt: sentAt, ID: "event-7", Origin: "/teams/dba", TraceParent: trace}},
		"bus, then topic":          {notification(t, busEvent(event.RequestType, plain)), deletion.Request{SentAt: sentAt, ID: "bus-event-1"}},
		"event, bus, topic, twice": {notification(t, notification(t, busEvent(event.RequestType, cloudEvent(event.RequestType, plain)))), deletion.Request{SentAt: sentAt, ID: "event-7", Origin: "/teams/dba", TraceParent: trace}},
		"of an invocation that failed": {
			destination("RetriesExhausted", plain, `{"errorMessage":"x"}`), deletion.Request{SentAt: sentAt, ID: "async-1"},
		},
		"of an invocation that succeeded": {destination("Success", `{"x":1}`, plain), deletion.Request{SentAt: sentAt, ID: "async-1"}},
		"a topic's event that failed":     {destination("RetriesExhausted", string(sns(t, plain)), `null`), deletion.Request{SentAt: sentAt, ID: "notification-0", TraceParent: trace}},
		"a topic's event, as it was":      {string(sns(t, plain)), deletion.Request{ID: "notification-0", TraceParent: trace}},
		"a bus event that failed": {
			destination("EventAgeExceeded", busEvent(event.RequestType, plain), `null`), deletion.Request{SentAt: sentAt, ID: "bus-event-1"},
		},
		"event with data in base64": {
			`{"specversion":"1.0","id":"event-7","source":"/teams/dba","type":"` + event.RequestType + `","data_base64":"` + base64.StdEncoding.EncodeToString([]byte(plain)) + `"}`,
			deletion.Request{ID: "event-7", Origin: "/teams/dba"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.want.BackupID = backup
			for source, payload := range map[deletion.Source][]byte{
				"sqs":             marshal(t, sqs(tc.body)),
				"apigateway-http": marshal(t, httpAPI("POST", "/deletions", tc.body)),
				"rabbitmq":        rabbitMQ(t, tc.body),
				"kafka":           kafka(t, map[string][]string{"requests-0": {tc.body}}),
			} {
				want := tc.want
				want.Source = source
				switch source {
				case "kafka":
					want.Order = "requests-0"
					want.Origin = cmpOr(want.Origin, "arn:aws:kafka:eu-central-1:123456789012:cluster/c/1")
				case "rabbitmq":
					want.Origin = cmpOr(want.Origin, "arn:aws:mq:eu-central-1:123456789012:broker:b:1 requests::/")
				}
				id := map[deletion.Source]string{
					"sqs": "message-0", "apigateway-http": "api-request", "rabbitmq": "rabbit-0", "kafka": "requests-0@100",
				}[source]
				if want.ID = cmpOr(want.ID, id); source != "apigateway-http" {
					want.MessageID = id
				}
				_, got := decodeOne(t, payload)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: request (-want +got):\n%s", source, diff)
				}
			}
		})
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// Events that others can see, too, ask for nothing unless their type says so.
func TestForeignEvents(t *testing.T) {
	for name, tc := range map[string]struct{ body, says string }{
		"event of another type":   {cloudEvent("com.example.backup.created.v1", plain), `a CloudEvent of type "com.example.backup.created.v1"`},
		"bus event of another":    {busEvent("Backup Created", plain), `an event of detail-type "Backup Created"`},
		"event of another on bus": {busEvent(event.RequestType, cloudEvent("com.example", plain)), `a CloudEvent of type "com.example"`},
		"an older specversion":    {strings.Replace(cloudEvent(event.RequestType, plain), `"1.0"`, `"0.3"`, 1), `specversion: "0.3"; expected "1.0"`},
		"no event id":             {strings.Replace(cloudEvent(event.RequestType, plain), `"event-7"`, `""`, 1), "id: 0 characters; expected 1 to 1024"},
		"no event source":         {strings.Replace(cloudEvent(event.RequestType, plain), `"/teams/dba"`, `5`, 1), "source: 0 characters"},
		"a long event id":         {strings.Replace(cloudEvent(event.RequestType, plain), `event-7`, strings.Repeat("i", 1025), 1), "id: 1025 characters"},
		"an event id of nothing":  {strings.Replace(cloudEvent(event.RequestType, plain), `event-7`, `a\uffffb`, 1), "no control characters"},
		"an event id of controls": {strings.Replace(cloudEvent(event.RequestType, plain), `event-7`, `a\u0000b`, 1), "no control characters"},
		"data that is a text":     {cloudEvent(event.RequestType, `"`+backup+`"`), "data: a JSON string; expected a JSON object"},
		"data that is an event":   {cloudEvent(event.RequestType, cloudEvent(event.RequestType, plain)), "it is an event of type"},
		"no data":                 {`{"specversion":"1.0","id":"i","source":"s","type":"` + event.RequestType + `"}`, "data: missing"},
		"data twice":              {`{"specversion":"1.0","id":"i","source":"s","type":"` + event.RequestType + `","data":{},"data_base64":"e30="}`, "both given"},
		"broken base64":           {`{"specversion":"1.0","id":"i","source":"s","type":"` + event.RequestType + `","data_base64":"{}"}`, "data_base64: 2 characters that are not base64"},
		"data_base64 a number":    {`{"specversion":"1.0","id":"i","source":"s","type":"` + event.RequestType + `","data_base64":5}`, "data_base64: a JSON number"},
		"a schedule without more": {busEvent("Scheduled Event", `"{}"`), `detail-type "Scheduled Event"`},
		"a detail that is a text": {busEvent(event.RequestType, `"{}"`), "detail: a JSON string"},
		"a topic's other news":    {`{"Type":"SubscriptionConfirmation","TopicArn":"arn","Message":"{}","backup_id":"a"}`, "an envelope"},
		"a message that is none":  {notification(t, "hello"), "Message is malformed JSON"},
		"a message no text":       {`{"Type":"Notification","TopicArn":"arn","Message":{"backup_id":"a"}}`, "Message: missing or not a string"},
		"too many envelopes": {
			notification(t, notification(t, notification(t, notification(t, notification(t, notification(t, plain)))))), "more than 5 envelopes",
		},
		"what an invocation returned":             {destination("Success", plain, `{"ok":true}`), "backup_id: missing"},
		"a mistake of who was told of an outcome": {destination("Success", outcomeEvent, `{"backup_id":"a","region":""}`), `region: the string ""`},
		"a list of nothing that failed":           {destination("RetriesExhausted", `[]`, `null`), "requestPayload is an array of 0 elements"},
		"six envelopes deep in lists": {
			destination("Success", `0`, `[`+destination("Success", `0`, `[`+destination("Success", `0`, `[`+destination("Success", `0`, `[`+destination("Success", `0`, `[`+destination("Success", `0`, plain)+`]`)+`]`)+`]`)+`]`)+`]`), "more than 5 envelopes",
		},
		"an invocation without event": {destination("RetriesExhausted", `null`, plain), "requestPayload is a JSON null"},
	} {
		t.Run(name, func(t *testing.T) {
			_, got := decodeOne(t, marshal(t, sqs(tc.body)))
			if got.Err == nil || !strings.Contains(got.Err.Message, tc.says) || got.BackupID != "" {
				t.Errorf("request %+v, error %v, want one that says %q", got, got.Err, tc.says)
			}
			if got.ID == "" {
				t.Error("nobody asked")
			}
		})
	}
}

// A type of one's own is as good as ours.
func TestRequestType(t *testing.T) {
	d := event.Decoder{RequestType: "com.example.cleanup.asked"}
	for body, taken := range map[string]bool{
		cloudEvent("com.example.cleanup.asked", plain): true,
		busEvent("com.example.cleanup.asked", plain):   true,
		cloudEvent(event.RequestType, plain):           false,
		busEvent(event.RequestType, plain):             false,
	} {
		batch, err := d.Decode(marshal(t, sqs(body)), event.Invocation{ID: "i"})
		if err != nil || len(batch.Requests) != 1 || (batch.Requests[0].Err == nil) != taken {
			t.Errorf("%s: requests %+v, error %v, want it taken: %v", body, batch.Requests, err, taken)
		}
	}
}

// No outcome event of ours, in any envelope of any source, is ever taken for a request, and
// none is rejected: the rejection would be published and come back the same way.
func TestNoOutcomeIsARequest(t *testing.T) {
	statuses := []deletion.Status{deletion.Accepted, deletion.Unconfirmed, deletion.NotFound, deletion.Rejected, deletion.Simulated}
	tried := 0
	for _, status := range statuses {
		data := `{"request_id":"m","project_id":"p","backup_id":"` + backup + `","status":"` + string(status) + `"}`
		outcome := cloudEvent(deletion.EventType(status), data)
		forms := []string{outcome, data, busEvent(deletion.EventType(status), outcome), `{"results":[` + data + `]}`}
		for range 2 { // what wraps it, and what wraps that
			for _, form := range forms {
				if strings.HasPrefix(form, "{") {
					forms = append(forms, destination("RetriesExhausted", string(sns(t, form)), `null`))
				}
				forms = append(forms, `{"event":`+form+`}`, string(marshal(t, form)), `{"messageId":"m","body":`+string(marshal(t, form))+`}`, notification(t, form), busEvent(event.RequestType, form), busEvent("x", form), cloudEvent(event.RequestType, form),
					cloudEvent("x", form), destination("Success", `{}`, form), destination("RetriesExhausted", form, `null`), "["+form+"]")
			}
		}
		for _, form := range forms {
			for _, payload := range everySource(t, form) {
				tried++
				batch, err := decode(payload)
				if err != nil {
					continue // refused as a whole, and nothing is published
				}
				if len(batch.Requests) != 0 {
					t.Fatalf("%s of %s: requests %+v", status, payload, batch.Requests)
				}
			}
		}
	}
	if tried < 10_000 {
		t.Errorf("%d payloads were tried", tried)
	}
}

// everySource returns payloads of every source with that body.
func everySource(tb testing.TB, body string) [][]byte {
	tb.Helper()
	encoded := httpAPI(http.MethodPost, "/deletions", base64.StdEncoding.EncodeToString([]byte(body)))
	encoded.IsBase64Encoded = true
	structured := httpAPI(http.MethodPost, "/", body)
	structured.Headers["content-type"] = "application/cloudevents+json"
	inBatch := httpAPI(http.MethodPost, "/", "["+body+"]")
	inBatch.Headers["content-type"] = "application/cloudevents-batch+json"
	binary := httpAPI(http.MethodPost, "/", body)
	for name, value := range map[string]string{"specversion": "1.0", "id": "i", "source": "s", "type": event.RequestType} {
		binary.Headers["ce-"+name] = value
	}
	payloads := [][]byte{
		[]byte(body), marshal(tb, sqs(body)), sns(tb, body), kafka(tb, map[string][]string{"requests-0": {body}}), rabbitMQ(tb, body), activeMQ(tb, body),
		marshal(tb, httpAPI(http.MethodPost, "/deletions", body)), marshal(tb, encoded), marshal(tb, structured), marshal(tb, inBatch), marshal(tb, binary),
		marshal(tb, restAPI(http.MethodPost, "/deletions", body)), marshal(tb, alb(http.MethodPost, "/deletions", body)),
	}
	for _, payload := range huawei(tb, body) {
		payloads = append(payloads, payload)
	}
	if strings.HasPrefix(body, "{") {
		payloads = append(payloads, []byte(functionGraphRecord("Success", `{}`, body)))
		payloads = append(payloads, []byte(destination("Success", `{}`, body)), []byte(busEvent(event.RequestType, body)))
	}
	return payloads
}

// Several backups in one message are as many requests.
func TestLists(t *testing.T) {
	batch, err := decode(marshal(t, sqs(plain, `{"backup_ids":["a","b/c",5,"d"],"project_id":"`+project+`"}`)))
	if err != nil {
		t.Fatal(err)
	}
	of := func(field, id string) deletion.Request {
		return deletion.Request{ID: "message-1", MessageID: "message-1", Source: "sqs", ProjectID: project, BackupID: id, Field: field}
	}
	wrong := of("", "")
	wrong.ProjectID = ""
	wrong.Err = &deletion.Error{Class: deletion.ClassInvalid, Message: "backup_ids[2]: a JSON number; expected a string"}
	want := []deletion.Request{
		{ID: "message-0", MessageID: "message-0", Source: "sqs", BackupID: backup}, of("backup_ids[0]", "a"), of("backup_ids[1]", "b/c"), wrong, of("backup_ids[3]", "d"),
	}
	if diff := cmp.Diff(want, batch.Requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	for body, says := range map[string]string{
		`{"backup_ids":[]}`: "backup_ids: 0 elements; expected 1 to 1000",
		`{"backup_ids":["a"` + strings.Repeat(`,"a"`, 1000) + `]}`: "backup_ids: 1001 elements",
		`{"backup_ids":"a"}`:                   "backup_ids: a JSON string; expected an array",
		`{"backup_ids":["a"],"backup_id":"b"}`: "backup_id and backup_ids: both given",
		`{"backup_ids":["a"],"job_id":"b"}`:    "the data of an outcome",
	} {
		_, got := decodeOne(t, marshal(t, sqs(body)))
		checkRefused(t, got, "message-0", says)
	}
}

func TestListOfACall(t *testing.T) {
	body := `[` + plain + `,{"backup_id":5},{"backup_ids":["a","b"]},` + cloudEvent(event.RequestType, plain) + `]`
	for source, payload := range map[string][]byte{"direct": []byte(body), "apigateway-http": marshal(t, httpAPI("POST", "/deletions", body))} {
		batch, err := decode(payload)
		if err != nil || len(batch.Requests) != 5 {
			t.Fatalf("%s: requests %+v, error %v", source, batch.Requests, err)
		}
		var got []string
		for _, r := range batch.Requests {
			text := r.ID + " " + r.Field + " " + r.BackupID
			if r.Err != nil {
				text = r.ID + " " + r.Err.Message
			}
			got = append(got, text)
		}
		id := map[string]string{"direct": "invocation", "apigateway-http": "api-request"}[source]
		want := []string{
			id + " [0].backup_id " + backup, id + " [1]: backup_id: a JSON number; expected a string",
			id + " [2].backup_ids[0] a", id + " [2].backup_ids[1] b", "event-7 [3].backup_id " + backup,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: requests (-want +got):\n%s", source, diff)
		}
	}
	for body, says := range map[string]string{
		"[" + strings.Repeat(plain+",", 1000) + plain + "]":                       "an array of 1001 elements",
		`[{"backup_ids":["a"` + strings.Repeat(`,"a"`, 999) + `]},` + plain + `]`: "more than 1000 deletions",
	} {
		_, got := decodeOne(t, []byte(body))
		checkRefused(t, got, "invocation", says)
	}
}

// A payload asks for as much as can be worked; what is beyond waits.
func TestTooManyRequestsAreGivenBack(t *testing.T) {
	list := `{"backup_ids":["a"` + strings.Repeat(`,"a"`, 999) + `]}`
	var bodies []string
	for range 11 {
		bodies = append(bodies, list)
	}
	batch, err := decode(marshal(t, sqs(append(bodies, plain, outcomeEvent)...)))
	if err != nil {
		t.Fatal(err)
	}
	if len(batch.Requests) != 10_002 || len(batch.OwnEvents) != 1 {
		t.Fatalf("%d requests", len(batch.Requests))
	}
	for _, r := range batch.Requests[10_000:] {
		if r.Err == nil || r.Err.Class != deletion.ClassThrottled {
			t.Errorf("request %+v", r)
		}
	}
}

// The X-Ray header of the message comes before that of the invocation.
func TestTraceHeaders(t *testing.T) {
	const own, invocations = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1", "Root=1-6759e988-bd862e3fe1be46a994272793"
	traced := sqs(plain, plain)
	traced.Records[1].Attributes = map[string]string{"AWSTraceHeader": own}
	rest := restAPI("DELETE", "/backups/"+backup, "")
	rest.Headers["X-Amzn-Trace-Id"] = own
	for i, payload := range [][]byte{marshal(t, traced), []byte(plain), marshal(t, rest)} {
		batch, err := new(event.Decoder).Decode(payload, event.Invocation{ID: "i", TraceHeader: invocations})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range batch.Requests {
			got = append(got, r.TraceHeader)
		}
		if want := [][]string{{invocations, own}, {invocations}, {own}}[i]; !cmp.Equal(got, want) {
			t.Errorf("%s: %v, want %v", batch.Source, got, want)
		}
	}
	const root = "Root=1-5759e988-bd862e3fe1be46a994272793"
	for header, want := range map[string]string{
		"":   "",
		"x":  "",
		root: root,
		"Self=1-67891234-12456789abcdef0123456789;" + root + ";Lineage=a:1": root,
		root + ";Parent=53995c3f42cd8ad8;Sampled=1;Parent=x;Sampled=?\n":    root + ";Parent=53995c3f42cd8ad8;Sampled=1",
		"Root=dummy;Parent=53995c3f42cd8ad8":                                "",
		"Root=1-5759e988-bd862e3fe1be46a99427279;Sampled=0":                 "",
		root + ";" + strings.Repeat("x", 512):                               "",
	} {
		batch, err := new(event.Decoder).Decode([]byte(plain), event.Invocation{ID: "i", TraceHeader: header})
		if err != nil || batch.Requests[0].TraceHeader != want {
			t.Errorf("%q: %q, error %v, want %q", header, batch.Requests[0].TraceHeader, err, want)
		}
	}
}

func sns(tb testing.TB, messages ...string) []byte {
	tb.Helper()
	var e events.SNSEvent
	for i, message := range messages {
		e.Records = append(e.Records, events.SNSEventRecord{
			EventVersion: "1.0", EventSource: "aws:sns", EventSubscriptionArn: "arn:aws:sns:eu-central-1:123456789012:requests:1",
			SNS: events.SNSEntity{
				Type: "Notification", MessageID: fmt.Sprintf("notification-%d", i), TopicArn: "arn:aws:sns:eu-central-1:123456789012:requests", Message: message,
				MessageAttributes: map[string]any{"traceparent": map[string]string{"Type": "String", "Value": trace}},
			},
		})
	}
	return marshal(tb, e)
}

// An outcome of ours among others is left alone, and they are not.
func TestOutcomesAmongRequests(t *testing.T) {
	for name, body := range map[string]string{
		"in a list of a destination": destination("Success", `{}`, `[`+plain+`,`+outcomeData+`]`),
		"beside a list":              `{"backup_ids":["` + backup + `",5],"metadata":{"type":"dds.backup.deletion.accepted.v1"}}`,
	} {
		batch, err := decode(marshal(t, sqs(body)))
		if err != nil || len(batch.Requests) == 0 || batch.Requests[0].BackupID != backup {
			t.Errorf("%s: requests %+v, error %v", name, batch.Requests, err)
		}
	}
	// A caller is told, and nothing is worked.
	for _, payload := range [][]byte{[]byte(`[` + plain + `,` + outcomeData + `]`), marshal(t, httpAPI("POST", "/deletions", `[`+plain+`,`+outcomeData+`]`))} {
		batch, err := decode(payload)
		if err == nil && len(batch.Requests) != 0 {
			t.Errorf("requests %+v", batch.Requests)
		}
	}
	// What holds a request and an outcome is one or the other, and never a panic.
	const both = `{"backup_ids":["` + backup + `",5],"metadata":{"type":"dds.backup.deletion.accepted.v1"}}`
	for _, payload := range everySource(t, both) {
		if batch, err := decode(payload); err == nil && len(batch.Requests) != 2 && len(batch.OwnEvents) != 1 && batch.Limit == 0 {
			t.Errorf("%s: requests %+v", payload, batch.Requests)
		}
	}
}

// Whatever is sent is read in time that grows with its size alone.
func TestReadingIsLinear(t *testing.T) {
	nested := func(levels int) string {
		return strings.Repeat(`[{"requestContext":{"functionArn":1},"requestPayload":`, levels) + "[" + outcomeData + "]" + strings.Repeat("}]", levels)
	}
	const small = 500
	cost := func(levels int) float64 {
		payload := []byte(nested(levels))
		return testing.AllocsPerRun(1, func() { _, _ = decode(payload) })
	}
	if few, many := cost(small), cost(8*small); many > 16*few {
		t.Errorf("%v allocations for %d levels, %v for %d", few, small, many, 8*small)
	}
}
