package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"dds-backup-delete/internal/deletion"
)

// SourceSQS is a batch of an Amazon SQS queue.
const SourceSQS deletion.Source = "sqs"

const sqsEventSource = "aws:sqs"

// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
var sqsShape = shape{
	source: SourceSQS,
	fits: func(members object) bool {
		if list, ok := members.get("Records"); ok && kind(list) == "array" && list[skipSpace(list, 1)] == ']' {
			return true
		}
		record, _ := firstOf(members, "Records")
		service, _ := record.text("eventSource")
		return service == sqsEventSource
	},
	decode: func(d *Decoder, _ []byte, members object, _ Invocation) (*Batch, error) {
		records, err := recordsOf(members)
		if err != nil {
			return nil, err
		}
		if len(records) == 0 {
			if err := emptyBatch(members, "Records"); err != nil {
				return nil, err
			}
		}
		return d.decodeSQS(records)
	},
}

// sqsPipeShape is the records of a queue as EventBridge Pipes sends them: an array. A pipe takes
// back single messages of a queue by the same reply.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html
var sqsPipeShape = shape{
	source: SourceSQS,
	decode: func(d *Decoder, payload []byte, _ object, _ Invocation) (*Batch, error) {
		records, err := arrayOf(payload)
		if err != nil {
			return nil, err
		}
		return d.decodeSQS(records)
	},
}

// recordsOf returns the records of a batch.
func recordsOf(members object) ([]json.RawMessage, error) {
	list, ok := members.get("Records")
	if !ok {
		return nil, errors.New("the member Records is missing; expected an array")
	}
	records, err := arrayOf(list)
	if err != nil {
		return nil, fmt.Errorf("the member Records is %w", err)
	}
	return records, nil
}

// decodeSQS reads the requests of each message. A message without a usable id could be neither
// acknowledged nor given back, so it fails the batch before any work is done.
func (d *Decoder) decodeSQS(records []json.RawMessage) (*Batch, error) {
	batch := &Batch{Requests: make([]deletion.Request, 0, len(records)), reply: replySQS}
	for i, text := range records {
		record, err := objectOf(text)
		if err != nil {
			return nil, fmt.Errorf("record %d is %w", i, err)
		}
		if service, _ := recordService(record); service != sqsEventSource {
			return nil, fmt.Errorf("record %d is of %q; expected %q, as the first", i, shorten(service), sqsEventSource)
		}
		id, _ := record.text("messageId")
		if id == "" {
			return nil, fmt.Errorf("record %d: messageId: missing or empty", i)
		}
		if !isID(id) {
			return nil, fmt.Errorf("record %d: messageId: %q; expected 1 to %d characters, and no control characters", i, shorten(id), maxID)
		}
		queue, _ := record.text("eventSourceARN")
		if queue = cleanID(queue); i == 0 {
			batch.SourceARN = queue
		}
		m, base := sqsMessage(record, id, queue)
		batch.add(m, d.readSQS(record, base))
	}
	return batch, nil
}

// sqsMessage reads what a reply needs of a message, and what its requests have in common.
func sqsMessage(record object, id, queue string) (message, deletion.Request) {
	attributes := record.object("attributes")
	m := message{id: id}
	m.receipt, _ = record.text("receiptHandle")
	count, _ := attributes.text("ApproximateReceiveCount")
	m.receives, _ = strconv.Atoi(count) // no number is no evidence
	// Messages of a standard queue may have a group, too, and no order.
	if strings.HasSuffix(queue, ".fifo") {
		group, _ := attributes.text("MessageGroupId")
		m.order = queue + "/" + group
	}
	xray, _ := attributes.text("AWSTraceHeader")
	return m, deletion.Request{
		ID: id, Order: m.order, Redelivered: m.receives > 1, TraceHeader: traceHeader(xray),
		TraceParent: traceParent(attribute(record.object("messageAttributes"), "traceparent", "stringValue")),
	}
}

// readSQS reads the requests of one message.
func (d *Decoder) readSQS(record object, base deletion.Request) content {
	body, ok := record.text("body")
	if !ok {
		return refuse(base, "body: missing or no string; expected a text")
	}
	return d.readList([]byte(body), base)
}

// replySQS gives back the messages that need another try; all others are deleted from the
// queue. Of an ordered group, all after the first that is given back are, too.
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

// Visibility says for how long a message that is given back had better not be received again.
type Visibility struct {
	// MessageID and ReceiptHandle are those of the message.
	MessageID, ReceiptHandle string
	// Timeout is to be its visibility timeout, in whole seconds, twelve hours at the most.
	Timeout time.Duration
}

// Visibilities returns the visibility of each message of a queue that is given back, which is
// none for other sources. A request that fails for hours, as during a restoration or for want
// of a right, would else use up all its receives in minutes.
func (b *Batch) Visibilities(outcomes []deletion.Outcome) []Visibility {
	var all []Visibility
	for i, err := range b.failures(outcomes) {
		if m := b.messages[i]; err != nil && m.receipt != "" {
			all = append(all, Visibility{m.id, m.receipt, backoff(err.RetryAfter, m.receives)})
		}
	}
	return all
}

// maxBackoff is what the wait for the next receive grows to.
const maxBackoff = time.Hour

// backoff is the wait for the next receive: that of the error, doubled with each receive.
func backoff(wait time.Duration, receives int) time.Duration {
	most := max(wait, maxBackoff)
	for range min(receives, 20) - 1 {
		wait = min(2*wait, most)
	}
	wait = min(wait, 11*time.Hour) // the queue counts twelve hours from the receive
	return max(wait+time.Second-1, time.Second).Truncate(time.Second)
}
