package awssink

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/sink"
)

// message is an event as a topic or a queue takes it.
type message struct {
	body string
	// attributes are what a subscriber can filter by, all of type String.
	attributes map[string]string
	// group and id are the message group and the deduplication id; empty but for FIFO.
	group, id string
	// trace is the X-Ray trace header; it may be empty.
	trace string
}

// messageBatches returns a sink that sends messages to a topic or queue by calls to send.
func messageBatches(to arn.ARN, send func(context.Context, []message) []error) deletion.Sink {
	entry := func(e *deletion.Event) message { return newMessage(e, to.IsFIFO()) }
	return &sink.Batches[message]{Most: maxEntries, Bytes: maxBytes, Entry: entry, Size: messageSize, Group: messageGroup, Send: send}
}

// newMessage returns the message of an event, for FIFO with a group for each backup.
func newMessage(e *deletion.Event, fifo bool) message {
	m := message{body: string(e.JSON), attributes: make(map[string]string, 3), trace: e.TraceHeader}
	for name, value := range map[string]string{
		"type": e.Type, "status": string(e.Status), "project_id": e.ProjectID,
	} {
		if value != "" { // no service takes an empty attribute
			m.attributes[name] = value
		}
	}
	if fifo {
		m.group, m.id = e.Subject, e.ID
		if m.group == "" { // a refused request that names no backup waits for no other
			m.group = e.ID
		}
	}
	return m
}

// messageGroup is the group of a message, within which the order counts.
func messageGroup(m *message) string { return m.group }

// attributeType is the type of all attributes.
const attributeType = "String"

// messageSize is the size of a message: its body, and of each attribute the name, type and value.
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

// entryID is the id of the entry at that place of a batch.
func entryID(place int) string { return strconv.Itoa(place) }

// answer collects what a call said of each entry of a batch.
type answer struct {
	call  string
	errs  []error
	heard []bool
	// stray is an id that was not sent.
	stray bool
}

func newAnswer(call string, entries int) *answer {
	return &answer{call: call, errs: make([]error, entries), heard: make([]bool, entries)}
}

// add notes the result of the entry of that id, nil for one that was taken.
func (a *answer) add(id string, result error) {
	place, err := strconv.Atoi(id)
	if err != nil || place < 0 || place >= len(a.errs) || id != entryID(place) {
		a.stray = true
		return
	}
	if a.heard[place] {
		result = fmt.Errorf("%s answered twice for one entry", a.call)
	}
	a.heard[place], a.errs[place] = true, result
}

// taken notes an entry that was taken, which a message id proves.
func (a *answer) taken(id, messageID *string) {
	var err error
	if aws.ToString(messageID) == "" {
		err = fmt.Errorf("%s: an entry came back without a message id", a.call)
	}
	a.add(aws.ToString(id), err)
}

// failed notes an entry that was not taken, and why.
func (a *answer) failed(id, code, message *string, sendersFault bool) {
	a.add(aws.ToString(id), entryError(a.call, aws.ToString(code), aws.ToString(message), sendersFault))
}

// results returns an error for each entry. An entry that was not answered for was not taken, and
// an answer that names others is not to be believed at all.
func (a *answer) results() []error {
	if a.stray {
		return sink.Fail(len(a.errs), fmt.Errorf("%s answered for an entry that was not sent", a.call))
	}
	for i, heard := range a.heard {
		if !heard {
			a.errs[i] = fmt.Errorf("%s did not answer for an entry", a.call)
		}
	}
	return a.errs
}
