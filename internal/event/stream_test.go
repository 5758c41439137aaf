package event_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
)

// kafka returns a batch with records of those partitions; their offsets begin at 100.
func kafka(tb testing.TB, bodies map[string][]string) []byte {
	tb.Helper()
	e := events.KafkaEvent{
		EventSource: "aws:kafka", EventSourceARN: "arn:aws:kafka:eu-central-1:123456789012:cluster/c/1", Records: map[string][]events.KafkaRecord{},
	}
	for partition, of := range bodies {
		for i, body := range of {
			e.Records[partition] = append(e.Records[partition], events.KafkaRecord{
				Topic: strings.Split(partition, "-")[0], Offset: int64(100 + i), Value: base64.StdEncoding.EncodeToString([]byte(body)),
			})
		}
	}
	return marshal(tb, e)
}

func rabbitMQ(tb testing.TB, bodies ...string) []byte {
	tb.Helper()
	e := events.RabbitMQEvent{
		EventSource: "aws:rmq", EventSourceARN: "arn:aws:mq:eu-central-1:123456789012:broker:b:1", MessagesByQueue: map[string][]events.RabbitMQMessage{},
	}
	for i, body := range bodies {
		e.MessagesByQueue["requests::/"] = append(e.MessagesByQueue["requests::/"], events.RabbitMQMessage{
			Data: base64.StdEncoding.EncodeToString([]byte(body)), BasicProperties: events.RabbitMQBasicProperties{MessageID: ptr(fmt.Sprintf("rabbit-%d", i))},
		})
	}
	return marshal(tb, e)
}

func activeMQ(tb testing.TB, bodies ...string) []byte {
	tb.Helper()
	e := events.ActiveMQEvent{EventSource: "aws:amq", EventSourceARN: "arn:aws:mq:eu-central-1:123456789012:broker:a:1"}
	for i, body := range bodies {
		e.Messages = append(e.Messages, events.ActiveMQMessage{
			MessageID: fmt.Sprintf("ID:active-%d", i), MessageType: "jms/text-message", Data: base64.StdEncoding.EncodeToString([]byte(body)),
		})
	}
	return marshal(tb, e)
}

// signed returns a text as a header of a Kafka record holds it.
func signed(text string) string {
	numbers := make([]string, len(text))
	for i := range len(text) {
		numbers[i] = fmt.Sprint(int8(text[i]))
	}
	return "[" + strings.Join(numbers, ",") + "]"
}

func TestKafka(t *testing.T) {
	value := base64.StdEncoding.EncodeToString([]byte(plain))
	payload := `{"eventSource":"SelfManagedKafka","bootstrapServers":"b-1:9092","records":{"a-b-0":[` +
		`{"topic":"a-b","partition":0,"offset":9007199254740993,"timestamp":1,"timestampType":"CREATE_TIME","key":"a2V5","value":"` + value + `","headers":[{"other":[1]},{"traceparent":` + signed(trace) + `}]},` +
		`{"topic":"a-b","partition":0,"offset":9007199254740994,"value":"not base64","headers":[]},` +
		`{"topic":"a-b","partition":0,"offset":9007199254740995,"value":5,"headers":null},` +
		`{"topic":"a-b","partition":0,"offset":9007199254740996,"value":"` + value + `","headers":[{"ce_specversion":` + signed("1.0") + `},{"ce_type":` + signed("com.example") + `}]},` +
		`{"topic":"a-b","partition":0,"offset":9007199254740997,"value":"` + value + `","headers":[{"ce_specversion":` + signed("1.0") + `},{"ce_type":` + signed(event.RequestType) + `},{"ce_id":` + signed("ü") + `},{"ce_source":` + signed("s") + `}]}` +
		`],"a-b-1":[]}}`
	batch, err := decode([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(id, why string) deletion.Request {
		return deletion.Request{ID: id, MessageID: id, Source: "kafka", Origin: "b-1:9092", Order: "a-b-0", Err: &deletion.Error{Class: deletion.ClassInvalid, Message: why}}
	}
	want := []deletion.Request{
		{ID: "a-b-0@9007199254740993", MessageID: "a-b-0@9007199254740993", Source: "kafka", Origin: "b-1:9092", Order: "a-b-0", BackupID: backup, TraceParent: trace, SentAt: time.UnixMilli(1).UTC()},
		refused("a-b-0@9007199254740994", "value: 10 characters that are not base64"),
		refused("a-b-0@9007199254740995", "value: missing or not a string; expected a text in base64"),
		refused("a-b-0@9007199254740996", `it is a CloudEvent of type "com.example"; expected "dds.backup.deletion.requested.v1"`),
		{ID: "ü", MessageID: "a-b-0@9007199254740997", Origin: "s", Source: "kafka", Order: "a-b-0", BackupID: backup},
	}
	if diff := cmp.Diff(want, batch.Requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	for payload, says := range map[string]string{
		`{"eventSource":"aws:kafka","records":[]}`:                              "kafka: records: a JSON array; expected a JSON object",
		`{"eventSource":"aws:kafka"}`:                                           "kafka: records: missing",
		`{"eventSource":"aws:kafka","records":{"t-0":[{"value":"e30="}]}}`:      `record 0 of "t-0": offset: missing`,
		`{"eventSource":"aws:kafka","records":{"t-0":[{"offset":"5"}]}}`:        "offset: missing or no whole number",
		`{"eventSource":"aws:kafka","records":{"t-0":{}}}`:                      `records of "t-0": a JSON object; expected an array`,
		`{"eventSource":"aws:kafka","records":{"t-0":[` + `5` + `]}}`:           `record 0 of "t-0": a JSON number`,
		`{"eventSource":"aws:kafka","records":{"t-0":[],"t-0":[{"offset":1}]}}`: `an object in which "t-0" is given twice`,
	} {
		if _, err := decode([]byte(payload)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want one that says %q", payload, err, says)
		}
	}
}

// Each partition goes on at its first record that needs another try.
func TestReplyToKafka(t *testing.T) {
	batch, err := decode(kafka(t, map[string][]string{"t-0": {plain, plain, plain, plain}, "t-1": {plain, plain}, "u-0": {plain}}))
	if err != nil {
		t.Fatal(err)
	}
	outcomes := make([]deletion.Outcome, len(batch.Requests))
	for i, r := range batch.Requests {
		class := map[string]deletion.Class{
			"t-0@101": deletion.ClassThrottled, "t-0@102": deletion.ClassInvalid, "t-0@103": deletion.ClassConflict, "u-0@100": deletion.ClassForbidden,
		}[r.ID]
		outcomes[i] = outcome(r, class)
	}
	reply, err := batch.Reply(outcomes)
	const want = `{"batchItemFailures":[{"itemIdentifier":{"partition":"t-0","offset":101}},{"itemIdentifier":{"partition":"u-0","offset":100}}]}`
	if err != nil || string(reply) != want {
		t.Errorf("reply %s, error %v, want %s", reply, err, want)
	}
	for i, r := range batch.Requests {
		outcomes[i] = outcome(r, "")
	}
	if reply, err := batch.Reply(outcomes); err != nil || string(reply) != `{"batchItemFailures":[]}` {
		t.Errorf("reply %s, error %v", reply, err)
	}
}

// Of an ordered queue, a message that needs another try holds back those after it in its
// group. A standard queue may have groups, too, and no order.
func TestFIFO(t *testing.T) {
	in := sqs(plain, plain, plain, plain, plain)
	for i, group := range []string{"a", "b", "a", "a", "b"} {
		in.Records[i].Attributes = map[string]string{"MessageGroupId": group, "ApproximateReceiveCount": "1"}
		in.Records[i].ReceiptHandle = fmt.Sprintf("receipt-%d", i)
	}
	for suffix, want := range map[string]string{
		"":      `{"batchItemFailures":[{"itemIdentifier":"message-2"}]}`,
		".fifo": `{"batchItemFailures":[{"itemIdentifier":"message-2"},{"itemIdentifier":"message-3"}]}`,
	} {
		for i := range in.Records {
			in.Records[i].EventSourceARN = "arn:aws:sqs:eu-central-1:123456789012:requests" + suffix
		}
		batch, err := decode(marshal(t, in))
		if err != nil {
			t.Fatal(err)
		}
		outcomes := make([]deletion.Outcome, len(batch.Requests))
		for i, r := range batch.Requests {
			if ordered := r.Order != ""; ordered != (suffix != "") || (r.Order == batch.Requests[0].Order) != (!ordered || i == 0 || i == 2 || i == 3) {
				t.Errorf("%q: message %d has the order %q", suffix, i, r.Order)
			}
			class := deletion.Class("")
			if i == 2 {
				class = deletion.ClassConflict
			}
			outcomes[i] = outcome(r, class)
		}
		reply, err := batch.Reply(outcomes)
		if err != nil || string(reply) != want {
			t.Errorf("%q: reply %s, error %v, want %s", suffix, reply, err, want)
		}
		if got := len(batch.Visibilities(outcomes)); got != strings.Count(want, "message-") {
			t.Errorf("%q: %d messages are postponed", suffix, got)
		}
	}
}

// A message comes again the later, the more often it came.
func TestVisibilities(t *testing.T) {
	in := sqs(plain, plain, `{"backup_ids":["a","b","c"]}`, plain, plain)
	for i, receives := range []string{"1", "1", "3", "40", ""} {
		in.Records[i].Attributes = map[string]string{"ApproximateReceiveCount": receives}
		in.Records[i].ReceiptHandle = fmt.Sprintf("receipt-%d", i)
	}
	batch, err := decode(marshal(t, in))
	if err != nil {
		t.Fatal(err)
	}
	if batch.SourceARN != "arn:aws:sqs:eu-central-1:123456789012:requests" {
		t.Errorf("queue %q", batch.SourceARN)
	}
	wait := []time.Duration{0, 5 * time.Minute, 0, time.Minute, 5 * time.Minute, 2 * time.Hour, 1500 * time.Millisecond}
	outcomes := make([]deletion.Outcome, len(batch.Requests))
	for i, r := range batch.Requests {
		outcomes[i] = outcome(r, "")
		if wait[i] > 0 {
			outcomes[i] = outcome(r, deletion.ClassConflict)
			outcomes[i].Err.RetryAfter = wait[i]
		}
	}
	want := []event.Visibility{
		{MessageID: "message-1", ReceiptHandle: "receipt-1", Timeout: 5 * time.Minute},
		{MessageID: "message-2", ReceiptHandle: "receipt-2", Timeout: 20 * time.Minute}, // the longest of its three, four times
		{MessageID: "message-3", ReceiptHandle: "receipt-3", Timeout: 2 * time.Hour},
		{MessageID: "message-4", ReceiptHandle: "receipt-4", Timeout: 2 * time.Second},
	}
	if diff := cmp.Diff(want, batch.Visibilities(outcomes)); diff != "" {
		t.Errorf("visibilities (-want +got):\n%s", diff)
	}
	for receives, minutes := range map[string]int{"1": 5, "2": 10, "3": 20, "4": 40, "5": 60, "9": 60, "1000000": 60} {
		want := time.Duration(minutes) * time.Minute
		in := sqs(plain)
		in.Records[0].Attributes = map[string]string{"ApproximateReceiveCount": receives}
		in.Records[0].ReceiptHandle = "receipt"
		batch, r := decodeOne(t, marshal(t, in))
		o := outcome(r, deletion.ClassConflict)
		o.Err.RetryAfter = 5 * time.Minute
		if got := batch.Visibilities([]deletion.Outcome{o}); len(got) != 1 || got[0].Timeout != want {
			t.Errorf("receive %s: %v, want %v", receives, got, want)
		}
	}
}

func TestRabbitMQ(t *testing.T) {
	data := base64.StdEncoding.EncodeToString([]byte(plain))
	payload := `{"eventSource":"aws:rmq","eventSourceArn":"arn:aws:mq:eu-central-1:123456789012:broker:b:1","rmqMessagesByQueue":{"one::/":[` +
		`{"basicProperties":{"messageId":null,"headers":{"traceparent":{"bytes":` + signed(trace) + `}}},"redelivered":true,"data":"` + data + `"},` +
		`{"basicProperties":{"messageId":"m","headers":{"cloudEvents:specversion":"1.0","cloudEvents:type":"com.example"}},"redelivered":false,"data":"` + data + `"},` +
		`{"basicProperties":{"messageId":"n","headers":null},"redelivered":false,"data":5}` +
		`],"two::/":[{"basicProperties":{},"data":"` + data + `"}]}}`
	batch, err := decode([]byte(payload))
	if err != nil || len(batch.Requests) != 4 {
		t.Fatalf("requests %+v, error %v", batch.Requests, err)
	}
	first, second, third, other := batch.Requests[0], batch.Requests[1], batch.Requests[2], batch.Requests[3]
	if first.BackupID != backup || first.TraceParent != trace || !first.Redelivered || len(first.ID) != 32 || first.Origin != "arn:aws:mq:eu-central-1:123456789012:broker:b:1 one::/" {
		t.Errorf("request %+v", first)
	}
	checkRefused(t, second, "m", `a CloudEvent of type "com.example"`)
	checkRefused(t, third, "n", "data: missing or not a string")
	if other.ID == first.ID || len(other.ID) != 32 {
		t.Errorf("the same text in another queue is the same request: %+v", other)
	}
	again, _ := decode([]byte(payload))
	if again.Requests[0].ID != first.ID {
		t.Error("a message without an id has another one each time")
	}
}

func TestActiveMQ(t *testing.T) {
	data := base64.StdEncoding.EncodeToString([]byte(plain))
	_, got := decodeOne(t, []byte(`{"eventSource":"aws:amq","eventSourceArn":"arn","messages":[{"messageID":"ID:1","messageType":"jms/bytes-message",`+
		`"redelivered":true,"properties":{"traceparent":"`+trace+`"},"data":"`+data+`"}]}`))
	want := deletion.Request{ID: "ID:1", MessageID: "ID:1", Source: "activemq", BackupID: backup, TraceParent: trace, Redelivered: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	for payload, says := range map[string]string{
		`{"eventSource":"aws:amq"}`:                                  "activemq: messages: missing",
		`{"eventSource":"aws:amq","messages":{}}`:                    "activemq: messages: a JSON object",
		`{"eventSource":"aws:amq","messages":[5]}`:                   "activemq: messages: message 0 is a JSON number",
		`{"eventSource":"aws:rmq","rmqMessagesByQueue":[]}`:          "rabbitmq: rmqMessagesByQueue: a JSON array",
		`{"eventSource":"aws:rmq","rmqMessagesByQueue":{"q::/":{}}}`: `rabbitmq: messages of "q::/": a JSON object`,
	} {
		if _, err := decode([]byte(payload)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want one that says %q", payload, err, says)
		}
	}
}

// Any sign of a CloudEvent in binary mode makes a message one; what is missing or cannot be read
// does not make it a plain request again.
func TestSignsOfACloudEvent(t *testing.T) {
	value := base64.StdEncoding.EncodeToString([]byte(plain))
	record := func(headers string) []byte {
		return []byte(`{"eventSource":"aws:kafka","records":{"t-0":[{"offset":1,"value":"` + value + `","headers":` + headers + `}]}}`)
	}
	rabbit := func(headers string) []byte {
		return []byte(`{"eventSource":"aws:rmq","rmqMessagesByQueue":{"q::/":[{"basicProperties":{"headers":` + headers + `},"data":"` + value + `"}]}}`)
	}
	call := httpAPI("POST", "/deletions", plain)
	call.Headers["Ce-Type"] = "com.example.backup.created"
	for name, payload := range map[string][]byte{
		"no specversion":      record(`[{"ce_type":` + signed("com.example") + `}]`),
		"values as text":      record(`[{"ce_specversion":"1.0","ce_type":"com.example"}]`),
		"an HTTP spelling":    record(`[{"ce-type":` + signed("com.example") + `}]`),
		"another case":        record(`[{"CE_Type":` + signed("com.example") + `}]`),
		"unreadable":          record(`[{"ce_specversion":[999999]}]`),
		"too long":            record(`[{"ce_specversion":"` + strings.Repeat("1", 9000) + `"}]`),
		"AMQP":                rabbit(`{"cloudEvents:type":"com.example"}`),
		"AMQP, an object":     rabbit(`{"cloudEvents:type":{"bytes":5}}`),
		"AMQP, other objects": rabbit(`{"cloudEvents_id":{}}`),
		"HTTP":                marshal(t, call),
	} {
		if _, got := decodeOne(t, payload); got.Err == nil || !strings.Contains(got.Err.Message, "it is a CloudEvent of type") {
			t.Errorf("%s: request %+v", name, got)
		}
	}
}

// A batch that can only come again as a whole must not come without end.
func TestABrokerBatchThatIsTooLarge(t *testing.T) {
	list := `{"backup_ids":["a"` + strings.Repeat(`,"a"`, 999) + `]}`
	var bodies []string
	for range 11 {
		bodies = append(bodies, list)
	}
	batch, err := decode(rabbitMQ(t, bodies...))
	if err != nil || len(batch.Requests) != 10_001 {
		t.Fatalf("%d requests, error %v", len(batch.Requests), err)
	}
	checkRefused(t, batch.Requests[10_000], "rabbit-10", "more than 10000 deletions")
	var outcomes []deletion.Outcome
	for _, r := range batch.Requests {
		outcomes = append(outcomes, outcome(r, ""))
	}
	if reply, err := batch.Reply(outcomes); err != nil || string(reply) != "{}" {
		t.Errorf("reply %d bytes, error %v", len(reply), err)
	}
}
