package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// SourceSQS is a batch of an Amazon SQS queue.
const SourceSQS deletion.Source = "sqs"

// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
var sqs = source{
	name: SourceSQS, members: []string{"Records"},
	fits: func(members strictjson.Object) bool {
		if list, _ := members.Get("Records"); list.IsEmptyArray() {
			return true
		}
		record, _ := members.FirstObject("Records")
		service, _ := record.Text("eventSource")
		return service == services.SQS
	},
	decode: func(d *Decoder, p payload, _ Invocation) (*Batch, error) {
		list, _ := p.members.Get("Records")
		return d.decodeSQS(list)
	},
}

// sqsPipe is the records of a queue as EventBridge Pipes sends them: an array. A pipe takes back
// single messages of a queue by the same reply.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html
var sqsPipe = source{
	name:   SourceSQS,
	decode: func(d *Decoder, p payload, _ Invocation) (*Batch, error) { return d.decodeSQS(p.value) },
}

// decodeSQS reads the requests of each message. A message without a usable id could be neither
// acknowledged nor given back, so it fails the batch before any work is done.
func (d *Decoder) decodeSQS(list strictjson.Value) (*Batch, error) {
	batch := &Batch{reply: replySQS}
	err := batch.eachRecord(list, services.SQS, func(i int, record strictjson.Object) error {
		id, _ := record.Text("messageId")
		if id == "" {
			return errors.New("messageId: missing or empty")
		}
		if !body.IsID(id) {
			return fmt.Errorf("messageId: %q; expected 1 to %d characters, and no control characters", strictjson.Shorten(id), body.MaxID)
		}
		queue, _ := record.Text("eventSourceARN")
		queue = body.CleanID(queue)
		if i == 0 {
			batch.SourceARN = queue
		}
		m, base := d.sqsMessage(record, id, queue)
		value, _ := record.Get("body")
		if text, ok := value.Bytes(); ok {
			batch.add(m, d.queueReader().Read(text, base))
		} else {
			batch.add(m, body.Invalid(base, "body: missing or not a string; expected a text"))
		}
		return nil
	})
	return batch, err
}

// sqsMessage reads what a reply needs of a message, and what its requests have in common.
func (d *Decoder) sqsMessage(record strictjson.Object, id, queue string) (message, deletion.Request) {
	attributes := record.Object("attributes")
	m := message{id: id}
	receipt, _ := record.Get("receiptHandle")
	m.receipt, _ = receipt.Bytes()
	count, _ := attributes.Text("ApproximateReceiveCount")
	m.receives, _ = strconv.Atoi(count) // a text that is not a number counts as 0
	// Messages of a standard queue may have a group, too, and no order.
	if strings.HasSuffix(queue, ".fifo") {
		group, _ := attributes.Text("MessageGroupId")
		m.order = queue + "/" + group
	}
	text, _ := attributes.Text("SentTimestamp")
	sent, _ := strconv.ParseInt(text, 10, 64)
	sender, _ := attributes.Text("SenderId")
	xray, _ := attributes.Text("AWSTraceHeader")
	trace, _ := record.Object("messageAttributes").Object("traceparent").Text("stringValue")
	return m, deletion.Request{
		ID: id, Order: m.order, Redelivered: m.receives > 1, TraceHeader: body.TraceHeader(xray), TraceParent: body.TraceParent(trace),
		SentAt: body.Millis(sent), By: sqsSender(sender), Receives: m.receives, LastReceive: d.MaxReceives > 0 && m.receives >= d.MaxReceives,
	}
}

// sqsSender returns who sent a message, by the unique id that SQS keeps: that of an IAM user, or of a role with
// the name of its session. For a message that a topic or a bus passed on, it is that of the service.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
func sqsSender(id string) *deletion.Principal {
	switch {
	case id == "":
		return nil
	case strings.HasPrefix(id, "AIDA"):
		return body.Principal("user", id)
	case strings.HasPrefix(id, "AROA"):
		return body.Principal("service_account", id)
	default:
		return body.Principal("unknown", id)
	}
}

// replySQS gives back the messages that need another try; all others are deleted from the
// queue. In a FIFO group, everything after the first message given back is given back too.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func replySQS(b *Batch, outcomes []deletion.Outcome) ([]byte, error) {
	// Never null: an empty list says plainly that all went well.
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for i, err := range b.failures(outcomes) {
		if err != nil {
			response.BatchItemFailures = append(response.BatchItemFailures,
				events.SQSBatchItemFailure{ItemIdentifier: b.messages[i].id})
		}
	}
	return json.Marshal(response)
}

// Visibility says for how long a message that is given back should not be received again.
type Visibility struct {
	// MessageID and ReceiptHandle are those of the message.
	MessageID, ReceiptHandle string
	// Timeout is the visibility timeout to set, in whole seconds, at most maxVisibility.
	Timeout time.Duration
}

// Visibilities returns the visibility of each message of a queue that is given back; none for other
// sources. Without it, a request that fails for hours, for example during a restore or for lack of a
// permission, would use up all its receives in minutes.
func (b *Batch) Visibilities(outcomes []deletion.Outcome) []Visibility {
	var all []Visibility
	for i, err := range b.failures(outcomes) {
		if m := b.messages[i]; err != nil && len(m.receipt) > 0 {
			all = append(all, Visibility{m.id, string(m.receipt), backoff(err.RetryAfter, m.receives)})
		}
	}
	return all
}

// maxVisibility is the longest wait for the next receive. SQS allows twelve hours, counted from the
// receive and not from now.
const maxVisibility = 11 * time.Hour

// backoff is the wait for the next receive, in whole seconds.
func backoff(wait time.Duration, receives int) time.Duration {
	wait = min(deletion.Backoff(wait, receives), maxVisibility)
	return max(wait+time.Second-1, time.Second).Truncate(time.Second)
}
