package sinktest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
)

// Message is a message that was sent to a topic or queue.
type Message struct {
	// ID is that of the entry in its batch, and To the topic's ARN or the queue's URL.
	ID, To string
	// Body is the message itself.
	Body string
	// Attributes are the message attributes of type String.
	Attributes map[string]string
	// GroupID, DeduplicationID and TraceHeader are empty if the entry has none.
	GroupID, DeduplicationID, TraceHeader string
}

// size returns the size of a message by the formula of SNS and SQS.
func (m *Message) size() int {
	size := len(m.Body)
	for name, value := range m.Attributes {
		size += len(name) + len("String") + len(value)
	}
	return size
}

// Refusal is why an entry is not taken.
type Refusal struct {
	// Code is the service's error code.
	Code string
	// SenderFault says that another try would fail, too.
	SenderFault bool
}

// Broker is a topic or a queue in a test server.
type Broker struct {
	*httptest.Server
	received[Message]

	refuse func(Message) *Refusal
	sent   int
}

// result is the result of one entry: taken under an id, or refused.
type result struct {
	entry, id string
	refused   *Refusal
}

// take takes a batch, or returns the code of the error that fails it as a whole.
func (b *Broker) take(batch []Message) (results []result, code string) {
	size := 0
	ids := make(map[string]bool, len(batch))
	for i := range batch {
		m := &batch[i]
		size += m.size()
		if ids[m.ID] {
			return nil, "BatchEntryIdsNotDistinct"
		}
		ids[m.ID] = true
		for name, value := range m.Attributes {
			if value == "" {
				return nil, "InvalidParameterValue: empty attribute " + name
			}
		}
	}
	switch {
	case len(batch) == 0:
		return nil, "EmptyBatchRequest"
	case len(batch) > 10:
		return nil, "TooManyEntriesInBatchRequest"
	case size > 262_144:
		return nil, "BatchRequestTooLong"
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, len(batch))
	for _, m := range batch {
		var refused *Refusal
		if b.refuse != nil {
			refused = b.refuse(m)
		}
		if refused == nil {
			b.taken = append(b.taken, m)
		}
		b.sent++
		results = append(results, result{m.ID, fmt.Sprintf("message-%d", b.sent), refused})
	}
	return results, ""
}

// limit bounds the body of a call.
func limit(w http.ResponseWriter, r *http.Request) *http.Request {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<20)
	return r
}
