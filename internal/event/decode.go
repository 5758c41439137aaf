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
	"slices"
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
	// Echoes are the ids of messages that hold own outcome events. They are acknowledged.
	Echoes []string
	// Tombstones counts the Kafka records without a value, which ask for nothing. They are acknowledged.
	Tombstones int

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
	payload, in.ID = trimMark(payload), cleanID(in.ID)
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
		return shape{}, nil, fmt.Errorf("%d bytes long; expected %d at most", len(payload), maxPayload)
	}
	if err := parse(payload); err != nil {
		return shape{}, nil, err
	}
	if kind(payload) == "array" {
		s, err := arrayShape(payload)
		return s, nil, err
	}
	members, err := objectOf(payload)
	if err != nil {
		return shape{}, nil, err
	}
	if other := otherService(members); other != "" {
		return shape{}, nil, errors.New(other + ", which asks for no deletion; " + expectedPayload)
	}
	for _, s := range shapes {
		if s.fits(members) {
			return s, members, nil
		}
	}
	return shape{}, nil, errors.New(unknownPayload(members))
}

// arrayShape recognises a payload that is an array: the records of a queue or of Kafka, as
// EventBridge Pipes sends them, or a list of requests. An array that is neither is an error, so
// that it is reported once and not once for each element.
func arrayShape(payload []byte) (shape, error) {
	elements, err := arrayOf(payload)
	if err != nil {
		return shape{}, err
	}
	if len(elements) == 0 {
		return shape{}, errors.New("an empty array; " + expectedPayload)
	}
	var service string
	records, requests := 0, 0
	for _, element := range elements {
		if looksLikeRequest(element) {
			requests++
			continue
		}
		members, _ := objectOf(element) // another value has no members
		named, ok := recordService(members)
		switch {
		case !ok:
			continue
		case records > 0 && named != service:
			return shape{}, fmt.Errorf("an array of records of %q and %q; expected records of one source", shorten(service), shorten(named))
		}
		service = named
		records++
	}
	switch {
	case records == 0 && requests > 0:
		return directShape, nil
	case records == 0:
		return shape{}, errors.New("an array in which no element is a request; " + describe(elements[0]))
	case records < len(elements):
		return shape{}, fmt.Errorf("an array of %d elements of which %d are records of %q; expected records or requests alone", len(elements), records, shorten(service))
	case service == sqsEventSource:
		return sqsPipeShape, nil
	case isKafka(service):
		return kafkaPipeShape, nil
	default:
		return shape{}, errors.New(nameService("an array of records of", service) + ", which asks for no deletion; " + expectedPayload)
	}
}

// emptyBatch returns the error about a batch without a record that has more than these members:
// whatever they ask for would be acknowledged and not done.
func emptyBatch(members object, envelope ...string) error {
	for _, m := range members {
		if !slices.Contains(envelope, string(m.name)) {
			return fmt.Errorf("the batch is empty beside the member %q; expected records, or no other member", shorten(string(m.name)))
		}
	}
	return nil
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
