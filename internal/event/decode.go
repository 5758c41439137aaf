// Package event is the way in and the way out: it turns the payload of a source into
// deletion requests, and their outcomes into the reply that the source's protocol asks for.
// It knows nothing of DDS and of no AWS client.
//
// Each family of sources has a file of its own, and each source an entry in [shapes].
package event

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"dds-backup-delete/internal/deletion"
)

// RequestType is the default type of the events that ask for a deletion.
const RequestType = deletion.TypePrefix + "requested.v1"

// maxPayload bounds, in bytes, a payload: Lambda's own limit.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxPayload = 6_291_556

// maxRequests bounds how many requests of one payload are worked.
const maxRequests = 10_000

// Decoder reads payloads. The zero value is ready for use.
type Decoder struct {
	// RequestType is the type by which an event that others can see, too, says that it asks
	// for a deletion; empty for the package's [RequestType].
	RequestType string
	// BasePath is the prefix that HTTP paths may have, for example /dds; empty for none.
	BasePath string
}

func (d *Decoder) requestType() string { return cmp.Or(d.RequestType, RequestType) }

// Invocation is what the host knows of an invocation.
type Invocation struct {
	// ID names a request that has no id of its own.
	ID string
	// TraceHeader is the X-Ray trace header; empty where there is none.
	TraceHeader string
}

// Batch is what a payload holds: its requests, and the way to answer them.
type Batch struct {
	// Source is where the payload came from.
	Source deletion.Source
	// SourceARN is the queue or topic it came from; empty where the payload does not say.
	SourceARN string
	// Limit is how long the source waits for its reply; 0 where only the invocation's deadline counts.
	Limit time.Duration
	// Requests are in the order of the payload. There may be none.
	Requests []deletion.Request
	// Echoes are the ids of messages that hold outcome events of ours. They are taken as read.
	Echoes []string

	whole    bool // the source takes it back as a whole, or not at all
	messages []message
	reply    func(*Batch, []deletion.Outcome) ([]byte, error)
}

// message is a part of a payload that its source takes back as a whole.
type message struct {
	id       string // what the source calls it
	order    string // messages of one order follow each other; empty for none
	receipt  string // SQS: the receipt handle
	receives int    // SQS: how often it was received
	offset   int64  // Kafka: its offset in the partition that is its order

	first, count int // the place of its requests in the batch; none for an echo
}

// add adds a message with what it asks for.
func (b *Batch) add(m message, c content) {
	if c.echo != "" {
		b.Echoes = append(b.Echoes, m.id)
	}
	if len(c.requests) > 0 && len(b.Requests)+len(c.requests) > maxRequests {
		c.requests = []deletion.Request{b.beyond(c.requests[0])}
	}
	m.first, m.count = len(b.Requests), len(c.requests)
	for i := range c.requests {
		c.requests[i].MessageID = m.id
	}
	b.Requests = append(b.Requests, c.requests...)
	b.messages = append(b.messages, m)
}

// beyond is a request for more than is worked at once. It waits; but where the whole batch would
// come again with it, it would always be the one too much, and so can only be refused.
func (b *Batch) beyond(r deletion.Request) deletion.Request {
	r.BackupID = ""
	r.Err = &deletion.Error{
		Class: deletion.ClassThrottled, RetryAfter: time.Minute,
		Message: fmt.Sprintf("with the messages before it, it asks for more than %d deletions", maxRequests),
	}
	if b.whole {
		r.Err.Class, r.Err.RetryAfter = deletion.ClassInvalid, 0
	}
	return r
}

// Reply returns what the source gets back for the outcomes of the batch's requests, given in
// their order. The error, where the protocol of the source knows errors, is a [*FunctionError].
func (b *Batch) Reply(outcomes []deletion.Outcome) ([]byte, error) { return b.reply(b, outcomes) }

// failures returns, for each message, why it must be given back, or nil. A message fails with
// any of its requests, and with any message before it in its order.
func (b *Batch) failures(outcomes []deletion.Outcome) []*deletion.Error {
	errs := make([]*deletion.Error, len(b.messages))
	orders := make(map[string]*deletion.Error)
	for i, m := range b.messages {
		if errs[i] = orders[m.order]; errs[i] != nil {
			continue
		}
		if o := longest(outcomes[m.first : m.first+m.count]); o != nil {
			errs[i] = o.Err
		}
		if m.order != "" {
			orders[m.order] = errs[i]
		}
	}
	return errs
}

// longest returns the outcome that had better wait longest for its next try; nil where none needs one.
func longest(outcomes []deletion.Outcome) *deletion.Outcome {
	var found *deletion.Outcome
	for i := range outcomes {
		if o := &outcomes[i]; o.Status == deletion.Retry && (found == nil || o.Err.RetryAfter > found.Err.RetryAfter) {
			found = o
		}
	}
	return found
}

// FunctionError is a failed invocation, as a caller such as Step Functions sees it.
type FunctionError struct {
	// Type is the stable error name, as DDS.NotFound.
	Type string
	// Message is for a person.
	Message string
}

// Error implements error.
func (e *FunctionError) Error() string { return e.Message }

// shape is one kind of payload.
type shape struct {
	source deletion.Source
	// fits tells a payload of the shape by its members, at a glance.
	fits func(object) bool
	// decode reads a payload that fits. The members are those of its object.
	decode func(d *Decoder, payload []byte, members object, in Invocation) (*Batch, error)
}

// shapes are tried in this order.
var shapes = []shape{
	sqsShape, snsShape, kafkaShape, rabbitMQShape, activeMQShape,
	albShape, functionURLShape, httpAPIShape, restAPIShape,
	eventBridgeShape, cloudEventShape, directShape,
}

// Decode tells by its shape where a payload came from and reads its requests.
//
// A part of a payload that is no request becomes one that carries its error; an error of
// Decode itself, always a [*FunctionError], means that nothing at all could be read.
func (d *Decoder) Decode(payload []byte, in Invocation) (*Batch, error) {
	s, members, err := shapeOf(payload)
	if err != nil {
		return nil, unknown("the payload is " + err.Error())
	}
	batch, err := s.decode(d, payload, members, in)
	if err != nil {
		return nil, unknown(string(s.source) + ": " + err.Error())
	}
	batch.Source = s.source
	for i := range batch.Requests {
		r := &batch.Requests[i]
		r.Source = s.source
		r.TraceHeader = cmp.Or(r.TraceHeader, traceHeader(in.TraceHeader))
	}
	return batch, nil
}

// shapeOf recognises a payload.
func shapeOf(payload []byte) (shape, object, error) {
	if len(payload) > maxPayload {
		return shape{}, nil, fmt.Errorf("%d bytes long, want %d at most", len(payload), maxPayload)
	}
	if err := parse(payload); err != nil {
		return shape{}, nil, err
	}
	if kind(payload) == "array" {
		return directShape, nil, nil
	}
	members, err := objectOf(payload)
	if err != nil {
		return shape{}, nil, err
	}
	for _, s := range shapes {
		if s.fits(members) {
			return s, members, nil
		}
	}
	return shape{}, nil, errors.New(strange(members))
}

func unknown(message string) *FunctionError {
	return &FunctionError{Type: policyOf(deletion.ClassInvalid).name, Message: message}
}

// Panicked returns the error of an invocation that met a bug of this program.
func Panicked() *FunctionError {
	return &FunctionError{Type: policyOf(deletion.ClassInternal).name, Message: "the function panicked"}
}

// Misconfigured returns the error of an invocation whose outcomes would reach nobody, so that
// nothing is worked.
func Misconfigured() *FunctionError {
	return &FunctionError{Type: policyOf(deletion.ClassUndelivered).name, Message: "OUTCOME_SINK is the source of the requests, so nobody would get their outcomes"}
}
