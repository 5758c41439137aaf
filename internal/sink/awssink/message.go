package awssink

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/sink"
)

// MaxEntries and maxBytes bound what one call to EventBridge, SNS or SQS takes. All three get the
// smallest limit, which is that of SNS; it was the limit of the others until 2026.
//
//   - https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
//   - https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
//   - https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
const (
	MaxEntries = 10
	maxBytes   = 262_144
)

// message is an event in the form that a topic or a queue takes.
type message struct {
	body string
	// attributes are what a subscriber can filter by, all of type String. A queue takes ten. Who asked is not
	// among them, because a filter policy on the body finds it there.
	attributes map[string]string
	// group and id are the message group and the deduplication id; empty unless the topic or queue
	// is FIFO.
	group, id string
	// trace is the X-Ray trace header; it may be empty.
	trace string
}

// newMessageSink returns a sink for a topic or a queue. send makes one call and passes the results of
// the entries, whose ids are their indexes, to an answer.
func newMessageSink(to arn.ARN, call string, send func(context.Context, []message, *answer) error) deletion.Sink {
	return &sink.Batcher[message]{
		MaxEntries: MaxEntries, MaxBytes: maxBytes,
		Entry: func(e *deletion.Event) message { return newMessage(e, to.IsFIFO()) },
		Size:  messageSize,
		Group: func(m *message) string { return m.group },
		Send: func(ctx context.Context, messages []message) []error {
			a := newAnswer(call)
			if err := send(ctx, messages, a); err != nil {
				return callFailed(len(messages), err)
			}
			return a.results(len(messages))
		},
	}
}

// newMessage returns the message of an event. In a FIFO topic or queue, each backup is a group.
func newMessage(e *deletion.Event, fifo bool) message {
	m := message{body: string(e.JSON), trace: e.TraceHeader, attributes: map[string]string{
		"type": e.Type, "status": string(e.Status), "project_id": e.ProjectID,
	}}
	maps.DeleteFunc(m.attributes, func(_, value string) bool { return value == "" }) // no service takes an empty attribute
	if fifo {                                                                        // a rejected request that names no backup is a group of its own
		m.group, m.id = cmp.Or(e.Subject, e.ID), e.ID
	}
	return m
}

// attributeType is the type of all attributes.
const attributeType = "String"

// messageSize returns the size of a message: its body, and the name, type and value of each
// attribute. The trace header does not count.
//
//   - https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
//   - https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
func messageSize(m *message) int {
	size := len(m.body)
	for name, value := range m.attributes {
		size += len(name) + len(attributeType) + len(value)
	}
	return size
}

// answer collects the results in the answer to one call, whose entries have their index as id.
type answer struct {
	call string
	byID map[string]error
}

func newAnswer(call string) *answer { return &answer{call, make(map[string]error)} }

// add notes the result of the entry with that id, nil if the service took it.
func (a *answer) add(id string, result error) {
	if _, twice := a.byID[id]; twice {
		result = fmt.Errorf("%s answered twice for one entry", a.call)
	}
	a.byID[id] = result
}

// taken notes an entry that the service took, which a message id proves.
func (a *answer) taken(id, messageID *string) {
	var err error
	if aws.ToString(messageID) == "" {
		err = fmt.Errorf("%s: an entry came back without a message id", a.call)
	}
	a.add(aws.ToString(id), err)
}

// failed notes an entry that the service did not take.
func (a *answer) failed(id, code, message *string, senderFault bool) {
	a.add(aws.ToString(id), entryError(a.call, aws.ToString(code), aws.ToString(message), senderFault))
}

// results returns an error for each of the entries sent. An entry without an answer was not taken,
// and an answer that names unknown entries proves nothing.
func (a *answer) results(sent int) []error {
	errs := make([]error, sent)
	for i := range errs {
		id := strconv.Itoa(i)
		result, answered := a.byID[id]
		if !answered {
			result = fmt.Errorf("%s did not answer for an entry", a.call)
		}
		errs[i] = result
		delete(a.byID, id)
	}
	if len(a.byID) > 0 {
		return sink.AllFailed(sent, fmt.Errorf("%s answered for an entry that was not sent", a.call))
	}
	return errs
}

// optional is nil for an empty text.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
