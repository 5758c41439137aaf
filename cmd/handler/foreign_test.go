package main_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"dds-backup-delete/internal/dds/ddstest"
)

// target is the backup that the payloads of these tests name.
func target() string { return sample(0) }

// foreignEvents are payloads that name a backup and do not ask for its deletion, as the payload of
// the function, and what the error calls them. TARGET is the backup.
var foreignEvents = map[string]struct{ payload, says string }{
	"REST authorizer": {
		`{"type":"REQUEST","methodArn":"arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/DELETE/backups/x","resource":"/backups/{backup_id}",` +
			`"path":"/backups/TARGET","httpMethod":"DELETE","headers":{},"pathParameters":{"backup_id":"TARGET"},"requestContext":{"requestId":"r","stage":"test"}}`, "authorizer",
	},
	"HTTP API authorizer": {
		`{"version":"2.0","type":"REQUEST","routeArn":"arn:aws:execute-api:us-east-1:1:a/test/DELETE/backups/x","identitySource":["x"],"routeKey":"DELETE /backups/{backup_id}",` +
			`"rawPath":"/backups/TARGET","headers":{},"requestContext":{"http":{"method":"DELETE","path":"/backups/TARGET"},"requestId":"r","stage":"$default"},"pathParameters":{"backup_id":"TARGET"}}`, "authorizer",
	},
	"token authorizer":       {`{"type":"TOKEN","methodArn":"arn","authorizationToken":"t","backup_id":"TARGET"}`, "authorizer"},
	"WebSocket":              {`{"requestContext":{"connectionId":"c","eventType":"MESSAGE"},"body":"{\"backup_id\":\"TARGET\"}","backup_id":"TARGET"}`, "WebSocket"},
	"DocumentDB":             {`{"eventSource":"aws:docdb","eventSourceArn":"arn:aws:rds:us-east-1:1:cluster:c","events":[],"backup_id":"TARGET"}`, "DocumentDB"},
	"Kinesis Analytics":      {`{"invocationId":"i","applicationArn":"arn","records":[{"recordId":"1","data":"e30="}],"backup_id":"TARGET"}`, "Kinesis Data Analytics"},
	"Firehose":               {`{"deliveryStreamArn":"arn","records":[],"backup_id":"TARGET"}`, "Firehose"},
	"CloudWatch Logs":        {`{"awslogs":{"data":"H4sI"},"backup_id":"TARGET"}`, "CloudWatch Logs"},
	"S3":                     {`{"Records":[{"eventSource":"aws:s3","s3":{},"backup_id":"TARGET"}],"backup_id":"TARGET"}`, "Amazon S3"},
	"AppSync":                {`{"arguments":{},"identity":null,"info":{"fieldName":"f","parentTypeName":"T"},"backup_id":"TARGET"}`, "AppSync"},
	"AppSync, a batch":       {`[{"arguments":{},"identity":null,"source":{"id":"0"},"request":{"headers":{}},"info":{"fieldName":"f","parentTypeName":"T"},"backup_id":"TARGET"},{"info":{"fieldName":"f","parentTypeName":"T"}}]`, "AppSync"},
	"DynamoDB of a pipe":     {`[{"eventSource":"aws:dynamodb","dynamodb":{"NewImage":{}},"backup_id":"TARGET"}]`, "DynamoDB"},
	"RabbitMQ of a pipe":     {`[{"eventSource":"aws:rmq","eventSourceKey":"q::/","data":"e30="}]`, "RabbitMQ"},
	"a mixed array":          {`[{"messageId":"m","eventSource":"aws:sqs","body":"{\"backup_id\":\"TARGET\"}"},{"backup_id":"TARGET"}]`, "records"},
	"no request in an array": {`["TARGET",5,null]`, "no element is a request"},
	"an empty array":         {`[]`, "an empty array"},
	"empty beside a request": {`{"Records":[],"backup_id":"TARGET"}`, `"backup_id"`},
	"empty Kafka":            {`{"eventSource":"aws:kafka","records":{},"backup_id":"TARGET"}`, `"backup_id"`},
	"FunctionGraph DDS":      {`{"trigger_type":"DDS","records":[{"event_source":"dds","dds":{"full_document":"{\"backup_id\":\"TARGET\"}"}}],"backup_id":"TARGET"}`, "changed documents of Huawei Cloud DDS"},
	"CTS":                    {`{"cts":{"trace_name":"ddsDeleteBackup","resource_id":"TARGET"},"backup_id":"TARGET"}`, "an audit record"},
	"nothing":                {" \n", "the payload is empty"},
	"another spelling":       {`{"backupId":"TARGET"}`, `did you mean "backup_id"?`},
	"a bad message id":       {`{"Records":[{"messageId":"a\u0000b","eventSource":"aws:sqs","body":"{\"backup_id\":\"TARGET\"}"}]}`, "messageId"},
}

// Another service's event is an error that names it. It deletes nothing and publishes nothing.
func TestForeignEvents(t *testing.T) {
	w := start(t, nil)
	for name, tc := range foreignEvents {
		result := w.invoke(t, []byte(strings.ReplaceAll(tc.payload, "TARGET", target())))
		if result.Err == nil || result.Err.Type != "DDS.Invalid" || !strings.Contains(result.Err.Message, tc.says) {
			t.Errorf("%s: reply %s, error %v, want one that says %q", name, result.Payload, result.Err, tc.says)
		}
	}
	w.untouched(t)
	if entries := w.bus.Taken(); len(entries) != 0 {
		t.Errorf("events %v", entries)
	}
}

// untouched checks that DDS was asked to delete nothing.
func (w *world) untouched(t *testing.T) {
	t.Helper()
	if jobs := w.dds.Jobs(); len(jobs) != 0 {
		t.Errorf("jobs %v", jobs)
	}
	if _, there := w.dds.Backup(target()); !there {
		t.Error("the backup was deleted")
	}
}

// inQueue is a batch of a queue with one message of that body.
func inQueue(t *testing.T, body string) []byte {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(`{"Records":[{"messageId":"m","receiptHandle":"h","body":` + string(text) + `,"attributes":{"ApproximateReceiveCount":"1"},"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:123456789012:q"}]}`)
}

// What a queue brings and is no request is rejected in words that say why, and deletes nothing.
func TestRejectedBodies(t *testing.T) {
	w := start(t, nil)
	bodies := map[string]string{ // and what the outcome says
		`{"event":"BackupCreated","backup_id":"TARGET"}`:   `"event": unknown member`,
		`{"delete":false,"backup_id":"TARGET"}`:            `"delete": unknown member`,
		`{"projectId":"p","backup_id":"TARGET"}`:           `"projectId": unknown member; did you mean "project_id"?`,
		`{"Region":"r","backup_id":"TARGET"}`:              `did you mean "region"?`,
		`{"dry_run":"true","backup_id":"TARGET"}`:          `dry_run: the string "true"; expected true or false`,
		`{"metadata":[],"backup_id":"TARGET"}`:             "metadata: a JSON array",
		`{"backup_id":"TARGET","backup_id":"TARGET"}`:      `"backup_id" is given twice`,
		`{"awslogs":{"data":"x"},"backup_id":"TARGET"}`:    "CloudWatch Logs",
		`{"eventSource":"aws:docdb","backup_id":"TARGET"}`: "DocumentDB",
		`[1,2]`: "no element is a request",
		``:      "the body is empty; expected a JSON object",
		`{"detail-type":"dds.backup.deletion.requested.v1"}`:      "detail: missing",
		strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001): "nested too deep",
	}
	for _, tc := range foreignEvents {
		if strings.Contains(tc.payload, `"methodArn"`) || strings.Contains(tc.payload, `"fieldName"`) {
			bodies[tc.payload] = tc.says
		}
	}
	for body, says := range bodies {
		before := len(w.bus.Taken())
		result := w.invoke(t, inQueue(t, strings.ReplaceAll(body, "TARGET", target())))
		if result.Err != nil || string(result.Payload) != allDone {
			t.Errorf("%s: reply %s, error %v", body, result.Payload, result.Err)
		}
		entries := w.bus.Taken()[before:]
		if len(entries) != 1 || !strings.HasSuffix(entries[0].DetailType, ".rejected.v1") || !strings.Contains(unescaped(entries[0].Detail), says) {
			t.Errorf("%.60s: events %v, want one rejection that says %q", body, entries, says)
		}
	}
	w.untouched(t)
}

// unescaped returns a text of JSON as a reader sees it.
func unescaped(text string) string { return strings.ReplaceAll(text, `\"`, `"`) }

// A direct call with a member that no request has is an error that names it.
func TestUnknownMemberOfACall(t *testing.T) {
	w := start(t, nil)
	result := w.invoke(t, []byte(`{"DryRun":true,"backup_id":"`+target()+`"}`))
	if result.Err == nil || result.Err.Type != "DDS.Invalid" || !strings.Contains(result.Err.Message, `"DryRun": unknown member; did you mean "dry_run"?`) {
		t.Errorf("reply %s, error %v", result.Payload, result.Err)
	}
	w.untouched(t)
}

// What the world writes in other ways is worked like any request.
func TestBodiesOfTheWorld(t *testing.T) {
	w := start(t, nil)
	request := `{"backup_id":"` + target() + `","metadata":{"ticket":"OPS-1"}}`
	record := func(source, value string) string {
		return fmt.Sprintf(`{"eventSource":%q,"bootstrapServers":"b:9092","eventSourceKey":"t-0","topic":"t","partition":0,"offset":1,"value":%q,"headers":[]}`,
			source, base64.StdEncoding.EncodeToString([]byte(value)))
	}
	kafka := func(source, value string) []byte {
		return []byte(fmt.Sprintf(`{"eventSource":%q,"bootstrapServers":"b:9092","records":{"t-0":[%s,{"offset":2,"value":null}]}}`, source, record(source, value)))
	}
	for name, payload := range map[string][]byte{
		"byte order mark":       inQueue(t, "\ufeff"+request),
		"mark of the payload":   append([]byte("\ufeff"), inQueue(t, request)...),
		"list in a queue":       inQueue(t, "["+request+"]"),
		"array of a pipe":       []byte("[" + strings.TrimSuffix(strings.TrimPrefix(string(inQueue(t, request)), `{"Records":[`), "]}") + "]"),
		"Kafka of a pipe":       []byte("[" + record("SelfManagedKafka", request) + "]"),
		"Kafka, long spelling":  kafka("aws:SelfManagedKafka", request),
		"Kafka, short spelling": kafka("SelfManagedKafka", request),
		"Confluent prefix":      kafka("aws:kafka", "\x00\x00\x00\x00\x07"+request),
		"list in a topic":       kafka("aws:kafka", "["+request+"]"),
	} {
		w.dds.Add(ddstest.SampleBackups()[0])
		before := len(w.bus.Taken())
		result := w.invoke(t, payload)
		if result.Err != nil || string(result.Payload) != allDone {
			t.Errorf("%s: reply %s, error %v", name, result.Payload, result.Err)
		}
		if entries := w.bus.Taken()[before:]; len(entries) != 1 || !strings.HasSuffix(entries[0].DetailType, ".accepted.v1") {
			t.Errorf("%s: events %v", name, entries)
		}
	}
	if len(w.dds.Jobs()) == 0 {
		t.Error("nothing was deleted")
	}
	w.end(t)
	if !strings.Contains(w.function.Stdout(), `"metadata":{"ticket":"OPS-1"}`) {
		t.Error("the metadata is not in the log")
	}
}

// Own outcome events are counted in the log, and a few of them named; so are tombstones.
func TestCountsInTheLog(t *testing.T) {
	w := start(t, nil)
	own := `{"specversion":"1.0","id":"i","source":"s","type":"dds.backup.deletion.accepted.v1","data":{"backup_id":"a"}}`
	text, err := json.Marshal(own)
	if err != nil {
		t.Fatal(err)
	}
	var records []string
	for i := range 500 {
		records = append(records, fmt.Sprintf(`{"messageId":"own-%d","eventSource":"aws:sqs","body":%s}`, i, text))
	}
	if result := w.invoke(t, []byte(`{"Records":[`+strings.Join(records, ",")+`]}`)); result.Err != nil || string(result.Payload) != allDone {
		t.Errorf("reply %s, error %v", result.Payload, result.Err)
	}
	if result := w.invoke(t, []byte(`{"eventSource":"aws:kafka","records":{"t-0":[{"offset":1},{"offset":2,"value":null}]}}`)); result.Err != nil || string(result.Payload) != allDone {
		t.Errorf("reply %s, error %v", result.Payload, result.Err)
	}
	w.end(t)
	var counted, tombstones bool
	for line := range strings.Lines(w.function.Stdout()) {
		var entry struct {
			Message    string
			Count      int
			IDs        []string
			Tombstones int
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil || len(line) > 1000 {
			t.Errorf("line %.100s of %d bytes", line, len(line))
		}
		counted = counted || entry.Count == 500 && len(entry.IDs) == 3
		tombstones = tombstones || entry.Message == "invocation" && entry.Tombstones == 2
	}
	if !counted || !tombstones {
		t.Errorf("counted %v, tombstones %v", counted, tombstones)
	}
	if len(w.bus.Taken()) != 0 {
		t.Error("an event went out")
	}
}
