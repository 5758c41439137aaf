// Package event is the way in and the way out for payloads: it turns the payload of a source into
// deletion requests, and their outcomes into the reply that the source's protocol asks for. It knows
// neither DDS nor any AWS client. What a message asks for is read by package body, and what an HTTP
// call asks for by package httpapi; event only knows what is around them.
//
// Each family of sources has a file of its own, and each source an entry in [sources].
package event

import (
	"fmt"
	"time"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/httpapi"
	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// RequestType is the default type of the events that ask for a deletion.
const RequestType = body.RequestType

// Decoder reads payloads. The zero value is ready for use.
type Decoder struct {
	// RequestType is the type by which an event that others can see, too, says that it asks
	// for a deletion; empty for the package's [RequestType].
	RequestType string
	// BasePath is the prefix that HTTP paths may have, for example /dds; empty for none.
	BasePath string
	// MaxReceives is how often a queue of SQS delivers a message before that becomes a dead letter; 0 if
	// it is not known.
	MaxReceives int
	// DirectIsAsync says that direct calls are asynchronous, so that nobody reads their results, also
	// where [Invocation].Async is false: an invocation of Lambda itself does not say so.
	DirectIsAsync bool
}

// reader returns the reader of the bodies in payloads.
func (d *Decoder) reader() body.Reader {
	return body.Reader{RequestType: d.RequestType, Ticks: true}
}

// queueReader is reader for a queue, which says who put the message there.
func (d *Decoder) queueReader() body.Reader {
	r := d.reader()
	r.Queue = true
	return r
}

// API returns the HTTP API that the HTTP fronts stand before. Its Work is up to the caller.
func (d *Decoder) API() *httpapi.Handler {
	return &httpapi.Handler{Body: body.Reader{RequestType: d.RequestType}, BasePath: d.BasePath}
}

// Invocation is what the host knows of an invocation.
type Invocation struct {
	// ID names a request that has no id of its own.
	ID string
	// TraceHeader is the X-Ray trace header; empty if there is none.
	TraceHeader string
	// Async says that the host reported an asynchronous invocation, so that nobody reads its result. A host that
	// reports neither kind leaves it false.
	Async bool
}

// source is one kind of payload.
type source struct {
	name deletion.Source
	// members are those of a batch, which must not have others if it is empty: whatever they ask for
	// would be acknowledged and not done. They are nil for a source without batches.
	members []string
	// fits recognises a payload of the source by its members; nil if the payload is an array.
	fits func(strictjson.Object) bool
	// parkable reports whether the source of a payload may not deliver it again while nobody waits for its
	// result; nil for a source that keeps its payloads until they are answered, or whose caller waits.
	parkable func(*Decoder, payload, Invocation) bool
	// decode reads a payload that fits.
	decode func(*Decoder, payload, Invocation) (*Batch, error)
}

// always is the parkable of a source that invokes the function asynchronously.
func always(*Decoder, payload, Invocation) bool { return true }

// payload is a payload that was parsed.
type payload struct {
	value   strictjson.Value
	members strictjson.Object // none of an array
}

// maxRequests bounds how many requests of one payload are worked.
const maxRequests = 10_000

// Batch is what a payload holds: its requests, and the way to answer them.
type Batch struct {
	// Source is where the payload came from.
	Source deletion.Source
	// SourceARN is the queue or topic it came from; empty if the payload does not say.
	SourceARN string
	// Limit is how long the source waits for its reply; 0 if only the invocation's deadline counts.
	Limit time.Duration
	// Requests are in the order of the payload. There may be none.
	Requests []deletion.Request
	// Tick says that the payload asks for what is due on the agenda. A tick is acknowledged.
	Tick bool
	// TickUntil is the time from which the tick asks for no other one; zero for a tick on schedule.
	TickUntil time.Time
	// Status is the HTTP call's question for the state of a backup, to be answered before Reply; nil if it asks
	// for something else.
	Status *httpapi.Status
	// OwnEvents are the ids of messages that hold own outcome events. They are acknowledged.
	OwnEvents []string
	// Tombstones counts the Kafka records without a value, which ask for nothing. They are acknowledged.
	Tombstones int

	wholeOnly bool // the source takes back the whole batch or nothing
	messages  []message
	reply     func(*Batch, []deletion.Outcome) ([]byte, error)
}

// message is a part of a payload that its source takes back as a whole.
type message struct {
	id       string // what the source calls it
	order    string // messages of one order follow each other; empty for none
	receipt  []byte // SQS: the receipt handle, a part of the payload
	receives int    // SQS: how often it was received
	offset   int64  // Kafka: its offset in the partition that is its order

	first, count int // the place of its requests in the batch; none for an own outcome event or a tick
}

// add adds a message with what it asks for.
func (b *Batch) add(m message, c body.Content) {
	if c.OwnEventReason != "" {
		b.OwnEvents = append(b.OwnEvents, m.id)
	}
	b.Tick = b.Tick || c.Tick
	if c.TickUntil.After(b.TickUntil) {
		b.TickUntil = c.TickUntil
	}
	if len(c.Requests) > 0 && len(b.Requests)+len(c.Requests) > maxRequests {
		c.Requests = []deletion.Request{b.tooMany(c.Requests[0])}
	}
	m.first, m.count = len(b.Requests), len(c.Requests)
	for i := range c.Requests {
		c.Requests[i].MessageID = m.id
	}
	b.Requests = append(b.Requests, c.Requests...)
	b.messages = append(b.messages, m)
}

// tooMany stands for requests past maxRequests. They can be retried, except if the source redelivers
// the whole batch: there a retry would hit the same limit.
func (b *Batch) tooMany(r deletion.Request) deletion.Request {
	r.BackupID = ""
	r.Err = &deletion.Error{
		Class: deletion.ClassThrottled, RetryAfter: time.Minute,
		Message: fmt.Sprintf("with the messages before it, it asks for more than %d deletions", maxRequests),
	}
	if b.wholeOnly {
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
		errs[i] = orders[m.order]
		if o := deletion.LongestRetry(outcomes[m.first : m.first+m.count]); o != nil && errs[i] == nil {
			errs[i] = o.Err
		}
		if m.order != "" {
			orders[m.order] = errs[i]
		}
	}
	return errs
}

// eachRecord calls read with each record of a batch, which must all be of the same service. The record
// is only valid during the call.
func (b *Batch) eachRecord(list strictjson.Value, service string, read func(i int, record strictjson.Object) error) error {
	records, err := list.Array()
	if err != nil {
		return fmt.Errorf("the member Records is %w", err)
	}
	// A batch can have thousands of records, so memory is taken once.
	b.Requests, b.messages = make([]deletion.Request, 0, len(records)), make([]message, 0, len(records))
	var record strictjson.Object
	for i, value := range records {
		if record, err = value.AppendTo(record[:0]); err != nil {
			return fmt.Errorf("record %d is %w", i, err)
		}
		if other, _ := services.OfRecord(record); other != service {
			return fmt.Errorf("record %d is of %q; expected %q, as the first", i, strictjson.Shorten(other), service)
		}
		if err := read(i, record); err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
	}
	return nil
}
