package event_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
)

// fired is the time in the events of FunctionGraph's timers.
const fired = "2026-11-24T05:00:00+08:00"

func smnEvent(tb testing.TB, attributes, message string) []byte {
	tb.Helper()
	return []byte(`{"record":[{"event_version":"1.0","smn":{"topic_urn":"urn:smn:cn-north-4:p:requests","timestamp":"2026-11-23T21:00:00Z","message_attributes":` + attributes +
		`,"message":` + string(marshal(tb, message)) + `,"type":"notification","message_id":"smn-1","subject":"s"},"event_subscription_urn":"urn","event_source":"smn"}],"functionname":"f","requestId":"r","timestamp":"2026-11-23T21:00:00Z"}`)
}

func timerEvent(tb testing.TB, userEvent string) []byte {
	tb.Helper()
	return []byte(`{"version":"v1.0","time":"` + fired + `","trigger_type":"TIMER","trigger_name":"nightly","user_event":` + string(marshal(tb, userEvent)) + `}`)
}

func kafkaEvent(messages string) []byte {
	return []byte(`{"event_version":"v1.0","event_time":1795467600,"trigger_type":"KAFKA","region":"cn-north-4","instance_id":"kafka-1","records":[{"messages":[` + messages + `],"topic_id":"requests"}]}`)
}

// functionGraphRecord is what FunctionGraph sends to a destination of an asynchronous invocation, with AWS's conditions.
func functionGraphRecord(condition, request, response string) string {
	return `{"timestamp":"2026-11-23T21:00:00Z","request_context":{"request_id":"async-2","function_urn":"urn:fss:f","condition":"` + condition +
		`","approximate_invoke_count":1},"request_payload":` + request + `,"response_context":{"status_code":200,"function_error":""},"response_payload":` + response + `}`
}

// failedRecord is that of an invocation that failed, as FunctionGraph writes it: the payloads are texts, and the condition is
// the type of the error; documentedRecord is that of one that succeeded, which has none.
func failedRecord(tb testing.TB, request string) string {
	tb.Helper()
	return `{"timestamp":"2026-11-23T22:00:00.000000000+01:00","request_context":{"request_id":"async-2","function_urn":"urn:fss:f","condition":"UnhandledInvocationError",` +
		`"approximate_invoke_count":0},"request_payload":` + string(marshal(tb, request)) + `,"response_context":{"status_code":500,"function_error":""},"response_payload":"{\"errorMessage\":\"busy\"}"}`
}

func documentedRecord(tb testing.TB, response string) string {
	tb.Helper()
	return functionGraphRecord("", string(marshal(tb, plain)), string(marshal(tb, response)))
}

func apigEvent(method, path, body, more string) []byte {
	return []byte(`{"body":"` + base64.StdEncoding.EncodeToString([]byte(body)) + `","requestContext":{"apiId":"a","requestId":"apig-1","stage":"RELEASE","sourceIp":"192.0.2.7"},` +
		`"queryStringParameters":{},"httpMethod":"` + method + `","pathParameters":{},"headers":{"content-type":"application/json","traceparent":"` + trace + `"},"path":"` + path + `","user_data":""` + more + `}`)
}

// huawei returns payloads of every source of FunctionGraph with that body.
func huawei(tb testing.TB, body string) map[string][]byte {
	tb.Helper()
	payloads := map[string][]byte{
		"apig": apigEvent("POST", "/deletions", body, ""), "smn": smnEvent(tb, "null", body), "timer": timerEvent(tb, body),
		"dms-kafka": kafkaEvent(string(marshal(tb, body))),
	}
	if json.Valid([]byte(strings.TrimPrefix(body, "\ufeff"))) && strings.HasPrefix(body, "{") {
		payloads["eventgrid"] = []byte(`{"events":[` + cloudEvent(event.RequestType, body) + `]}`)
	}
	return payloads
}

func TestFunctionGraph(t *testing.T) {
	sent := time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC)
	ofSMN := deletion.Request{ID: "smn-1", MessageID: "smn-1", Source: "smn", BackupID: backup, SentAt: sent, Parkable: true}
	ofTimer := deletion.Request{ID: "nightly@" + fired, MessageID: "invocation", Source: "timer", BackupID: backup, SentAt: sent, Parkable: true}
	ofEvent := deletion.Request{ID: "event-7", Origin: "/teams/dba", MessageID: "event-7", Source: "eventgrid", BackupID: backup, TraceParent: trace, Parkable: true}
	ofAPIG := deletion.Request{ID: "apig-1", Source: "apig", BackupID: backup, TraceParent: trace}
	ofRecord := deletion.Request{ID: "async-2", MessageID: "invocation", Source: "direct", BackupID: backup, SentAt: sent, Parkable: true}
	unspoken := strings.Replace(string(apigEvent("POST", "/deletions", "", "")), `"body":""`, `"body":`+string(marshal(t, plain)), 1)
	for name, tc := range map[string]struct {
		payload []byte
		want    deletion.Request
	}{
		"SMN":                      {smnEvent(t, "null", plain), ofSMN},
		"SMN, attributes a text":   {smnEvent(t, `"None"`, plain), ofSMN},
		"SMN, attributes":          {smnEvent(t, `{"a":{"type":"STRING","value":"b"}}`, plain), ofSMN},
		"timer":                    {timerEvent(t, plain), ofTimer},
		"EventGrid":                {[]byte(`{"events":[` + cloudEvent(event.RequestType, plain) + `]}`), ofEvent},
		"EventGrid, with a type":   {[]byte(`{"trigger_type":"EVENTGRID","events":[` + cloudEvent(event.RequestType, plain) + `]}`), ofEvent},
		"APIG":                     {apigEvent("DELETE", "/backups/"+backup, "", ""), ofAPIG},
		"APIG, a body":             {apigEvent("POST", "/deletions", plain, ""), ofAPIG},
		"APIG, a body, as said":    {apigEvent("POST", "/deletions", plain, `,"isBase64Encoded":true`), ofAPIG},
		"APIG, a body as it is":    {[]byte(strings.TrimSuffix(unspoken, "}") + `,"isBase64Encoded":false}`), ofAPIG},
		"failed":                   {[]byte(functionGraphRecord("RetriesExhausted", plain, "null")), ofRecord},
		"succeeded":                {[]byte(functionGraphRecord("Success", "{}", plain)), ofRecord},
		"failed, as a text":        {[]byte(failedRecord(t, plain)), ofRecord},
		"succeeded, as a text":     {[]byte(documentedRecord(t, plain)), ofRecord},
		"failed twice":             {[]byte(failedRecord(t, failedRecord(t, plain))), ofRecord},
		"a timer that failed":      {[]byte(functionGraphRecord("RetriesExhausted", string(timerEvent(t, plain)), "null")), ofSource(ofTimer, "direct")},
		"a topic's event, failed":  {[]byte(functionGraphRecord("EventAgeExceeded", string(smnEvent(t, "null", plain)), "null")), withMessage(ofSource(ofSMN, "direct"), "invocation")},
		"a topic, then a function": {smnEvent(t, "null", functionGraphRecord("RetriesExhausted", plain, "null")), withID(ofSMN, "async-2")},
	} {
		if name == "a timer that failed" || strings.HasPrefix(name, "timer") {
			_, got := decodeOne(t, tc.payload)
			tc.want.Origin = got.Origin // a digest
			if got.Origin == "" {
				t.Errorf("%s: no origin", name)
			}
		}
		if _, got := decodeOne(t, tc.payload); !cmp.Equal(tc.want, got) {
			t.Errorf("%s: request (-want +got):\n%s", name, cmp.Diff(tc.want, got))
		}
	}
}

func ofSource(r deletion.Request, source deletion.Source) deletion.Request {
	r.Source = source
	return r
}

func withID(r deletion.Request, id string) deletion.Request {
	r.ID = id
	return r
}

func withMessage(r deletion.Request, id string) deletion.Request {
	r.MessageID = id
	return r
}

// Both forms of a batch of Kafka, both forms of a message, and each form of the time.
func TestHuaweiKafka(t *testing.T) {
	quoted := string(marshal(t, plain))
	var identities []string
	for name, payload := range map[string][]byte{
		"records":        kafkaEvent(quoted + `,null,` + `{"message":` + quoted + `}`),
		"no records":     []byte(`{"trigger_type":"KAFKA","event_time":"2026-11-23T21:00:00Z","instance_id":"kafka-1","messages":[` + quoted + `,null,` + quoted + `],"topic_id":"requests"}`),
		"one's own":      []byte(strings.Replace(string(kafkaEvent(quoted+`,null,`+quoted)), "KAFKA", "OPENSOURCEKAFKA", 1)),
		"a time in ms":   []byte(strings.Replace(string(kafkaEvent(quoted+`,null,`+quoted)), "1795467600", "1795467600000", 1)),
		"messages apart": []byte(strings.Replace(string(kafkaEvent(quoted)), `"records":[`, `"records":[{"topic_id":"requests","messages":[null,`+quoted+`]},`, 1)),
	} {
		batch, err := decode(payload)
		if err != nil || len(batch.Requests) != 2 || batch.Tombstones != 1 || batch.Source != "dms-kafka" {
			t.Fatalf("%s: %+v, error %v", name, batch, err)
		}
		for _, r := range batch.Requests {
			if r.BackupID != backup || r.Origin != "kafka-1/requests" || !r.Parkable || !r.SentAt.Equal(time.Unix(1795467600, 0)) {
				t.Errorf("%s: %+v", name, r)
			}
			identities = append(identities, r.Identity())
		}
		retry := []deletion.Outcome{{Request: batch.Requests[0], Status: deletion.Accepted}, {Request: batch.Requests[1], Status: deletion.Retry, Err: &deletion.Error{Class: deletion.ClassConflict}}}
		if reply, err := batch.Reply(retry); err == nil { // there is no partial reply
			t.Errorf("%s: reply %s", name, reply)
		}
	}
	for _, identity := range identities {
		if identity != identities[0] {
			t.Errorf("one message has the identities %q and %q", identity, identities[0])
		}
	}
}

// Two deliveries are one request; what only looks alike is another.
func TestHuaweiIdentities(t *testing.T) {
	deliveries := 0
	identity := func(payload []byte) string {
		deliveries++ // each is an invocation of its own
		batch, err := new(event.Decoder).Decode(payload, event.Invocation{ID: fmt.Sprintf("invocation-%d", deliveries)})
		if err != nil || len(batch.Requests) != 1 {
			t.Fatalf("%s: %+v, %v", payload, batch, err)
		}
		return batch.Requests[0].Identity()
	}
	other := `{"backup_id":"b"}`
	grid := func(events ...string) []byte { return []byte(`{"events":[` + strings.Join(events, ",") + `]}`) }
	for name, tc := range map[string]struct{ payload, other []byte }{
		"SMN":             {smnEvent(t, "null", plain), []byte(strings.Replace(string(smnEvent(t, "null", plain)), "smn-1", "smn-2", 1))},
		"timer":           {timerEvent(t, plain), []byte(strings.Replace(string(timerEvent(t, plain)), "24T05", "25T05", 1))},
		"timer, another":  {timerEvent(t, plain), timerEvent(t, other)},
		"Kafka":           {kafkaEvent(string(marshal(t, plain))), kafkaEvent(string(marshal(t, other)))},
		"Kafka, a topic":  {kafkaEvent(string(marshal(t, plain))), []byte(strings.Replace(string(kafkaEvent(string(marshal(t, plain)))), `"requests"`, `"others"`, 1))},
		"EventGrid":       {grid(cloudEvent(event.RequestType, plain)), grid(strings.Replace(cloudEvent(event.RequestType, plain), "event-7", "event-8", 1))},
		"EventGrid, none": {grid(cloudEvent("x", plain)), grid(strings.Replace(cloudEvent("x", plain), "event-7", "event-8", 1))},
		"APIG":            {apigEvent("DELETE", "/backups/a", "", ""), []byte(strings.Replace(string(apigEvent("DELETE", "/backups/a", "", "")), "apig-1", "apig-2", 1))},
		"record":          {[]byte(functionGraphRecord("Success", "0", plain)), []byte(strings.Replace(functionGraphRecord("Success", "0", plain), "async-2", "async-3", 1))},
	} {
		if a, b := identity(tc.payload), identity(tc.payload); a != b {
			t.Errorf("%s: two deliveries are %q and %q", name, a, b)
		}
		if a, b := identity(tc.payload), identity(tc.other); a == b {
			t.Errorf("%s: two requests are both %q", name, a)
		}
	}
	batch, err := decode(grid(cloudEvent("x", plain), cloudEvent(event.RequestType, plain)))
	if err != nil || len(batch.Requests) != 2 || batch.Requests[1].Identity() != identity(grid(cloudEvent(event.RequestType, plain))) {
		t.Errorf("the place in a batch counts: %+v, %v", batch, err)
	}
}

func TestHuaweiTick(t *testing.T) {
	tick := `{"type":"` + event.TickType + `"}`
	batch, err := decode(timerEvent(t, tick))
	if err != nil || !batch.Tick || len(batch.Requests) != 0 || batch.Source != event.SourceTimer {
		t.Fatalf("%+v, %v", batch, err)
	}
	if reply, err := batch.Reply(nil); err != nil || string(reply) != `{"results":[]}` {
		t.Errorf("reply %s, error %v", reply, err)
	}
}

// A part that is no request says why, and a whole that is none is an error.
func TestHuaweiRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		payload []byte
		says    string
	}{
		"a timer's text":           {timerEvent(t, "Hello"), `user_event is malformed JSON`},
		"a timer's text, wanted":   {timerEvent(t, "Hello"), `expected the text of a request`},
		"an empty text":            {timerEvent(t, ""), `expected the text of a request`},
		"another object":           {timerEvent(t, `{"a":1}`), "backup_id: missing"},
		"no text":                  {[]byte(`{"trigger_type":"TIMER","backup_id":"a"}`), "user_event: missing or not a string"},
		"an object":                {[]byte(`{"trigger_type":"TIMER","user_event":{"backup_id":"a"}}`), "user_event: missing or not a string"},
		"a tick and more":          {timerEvent(t, `{"type":"`+event.TickType+`","backup_id":"a"}`), "it is a tick"},
		"SMN without a message":    {[]byte(`{"record":[{"event_source":"smn","backup_id":"a"}]}`), "message: missing"},
		"a plain request":          {[]byte(`{"trigger_type":"EVENTGRID","events":[` + plain + `]}`), "events[0]"},
		"Kafka's number":           {kafkaEvent(`5`), "a JSON number"},
		"a batch in a message":     {smnEvent(t, "null", string(kafkaEvent(string(marshal(t, plain))))), "an envelope"},
		"an audit record":          {smnEvent(t, "null", `{"cts":{"trace_name":"ddsDeleteBackup","backup_id":"a"}}`), "audit record"},
		"APIG, not base64":         {[]byte(strings.Replace(string(apigEvent("POST", "/deletions", "", "")), `"body":""`, `"body":"{}"`, 1)), "not base64"},
		"a condition of no record": {[]byte(functionGraphRecord("Other", plain, plain)), "request_context.condition"},
		"a record's result":        {[]byte(documentedRecord(t, "hello world!")), "response_payload is malformed JSON"},
		"a record without result":  {[]byte(documentedRecord(t, "")), "response_payload is "},
		"a record of no requests":  {[]byte(documentedRecord(t, `{"results":[]}`)), "held only own outcome events"},
		"a record of OBS":          {[]byte(failedRecord(t, `{"Records":[{"eventSource":"aws:s3","backup_id":"a"}]}`)), "Huawei Cloud OBS"},
	} {
		batch, err := decode(tc.payload)
		if err == nil {
			if len(batch.Requests) != 1 || batch.Requests[0].Err == nil || !strings.Contains(batch.Requests[0].Err.Message, tc.says) || batch.Requests[0].BackupID != "" {
				t.Errorf("%s: %+v, want %q", name, batch.Requests, tc.says)
			}
		} else if !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
	}
	for says, payload := range map[string]string{
		"messages: missing":                        `{"trigger_type":"KAFKA","backup_id":"a"}`,
		"both given":                               `{"trigger_type":"KAFKA","messages":[],"records":[]}`,
		`has the member "backup_id"`:               `{"trigger_type":"KAFKA","records":[],"backup_id":"a"}`,
		"events: missing":                          `{"trigger_type":"EVENTGRID","backup_id":"a"}`,
		"record 0: messages: ":                     `{"trigger_type":"KAFKA","records":[{"messages":{}}]}`,
		`record 1 is of "dds"; expected "smn"`:     `{"record":[{"event_source":"smn","smn":{"message":"{}"}},{"event_source":"dds"}]}`,
		`an array of records of changed documents`: `[{"event_source":"dds","backup_id":"a"}]`,
	} {
		if _, err := decode([]byte(payload)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", payload, err, says)
		}
	}
}

// The host says how it was called, which a payload does not.
func TestAsync(t *testing.T) {
	grid := []byte("[" + cloudEvent(event.RequestType, plain) + "]")
	for name, tc := range map[string]struct {
		payload  []byte
		async    bool
		parkable bool
		source   deletion.Source
	}{
		"direct":              {[]byte(plain), false, false, "direct"},
		"direct, async":       {[]byte(plain), true, true, "direct"},
		"APIG":                {apigEvent("DELETE", "/backups/a", "", ""), false, false, "apig"},
		"APIG, async":         {apigEvent("DELETE", "/backups/a", "", ""), true, true, "apig"},
		"SMN":                 {smnEvent(t, "null", plain), false, true, "smn"},
		"events":              {grid, false, false, "direct"},
		"events, async":       {grid, true, true, "eventgrid"},
		"one event":           {[]byte(cloudEvent(event.RequestType, plain)), true, true, "cloudevents"},
		"queue, called async": {marshal(t, sqs(plain)), true, false, "sqs"},
	} {
		batch, err := new(event.Decoder).Decode(tc.payload, event.Invocation{ID: "i", Async: tc.async})
		if err != nil || len(batch.Requests) != 1 || batch.Requests[0].Parkable != tc.parkable || batch.Source != tc.source {
			t.Errorf("%s: %+v, error %v", name, batch, err)
		}
	}
}

func TestAPIGReply(t *testing.T) {
	batch, r := decodeOne(t, apigEvent("DELETE", "/backups/"+backup, "", ""))
	reply, err := batch.Reply([]deletion.Outcome{{Request: r, Status: deletion.Accepted, JobID: "job"}})
	var got struct {
		StatusCode      int               `json:"statusCode"`
		Headers         map[string]string `json:"headers"`
		Body            string            `json:"body"`
		IsBase64Encoded *bool             `json:"isBase64Encoded"`
	}
	if err != nil || json.Unmarshal(reply, &got) != nil || got.StatusCode != 202 || !strings.Contains(got.Body, `"job_id":"job"`) ||
		got.Headers["Content-Type"] != "application/json" || got.IsBase64Encoded == nil || *got.IsBase64Encoded {
		t.Errorf("reply %s, error %v", reply, err)
	}
}

func FuzzHuawei(f *testing.F) {
	seed(f, bodies)
	f.Fuzz(func(t *testing.T, body []byte) {
		quoted, good := string(marshal(t, string(body))), string(marshal(t, plain))
		neighbours(t, kafkaEvent(good+","+quoted+","+good))
		for _, payload := range huawei(t, string(body)) {
			if batch, err := decode(payload); err == nil {
				check(t, batch, payload)
			}
		}
	})
}
