// Package event is the way in and the way out: it turns the payload of a source into
// deletion requests, and their outcomes into the reply that the source's protocol asks for.
// It knows nothing of DDS and of no AWS client.
//
// Each family of sources has a file of its own, which ends in one entry of [shapes].
package event

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"dds-backup-delete/internal/deletion"
)

// Batch is what a payload holds: its requests, and the way to answer them.
type Batch struct {
	// Source is where the payload came from.
	Source deletion.Source
	// Limit is how long the source waits for its reply; 0 where only the invocation's deadline counts.
	Limit time.Duration
	// Requests are in the order of the payload. There may be none.
	Requests []deletion.Request
	// Echoes are the ids of messages that hold outcome events of ours. They are taken as read.
	Echoes []string

	reply func([]deletion.Outcome) ([]byte, error)
}

// Reply returns what the source gets back for the outcomes of the batch's requests, given in
// their order. The error, where the protocol of the source knows errors, is a [*FunctionError].
func (b *Batch) Reply(outcomes []deletion.Outcome) ([]byte, error) { return b.reply(outcomes) }

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
	// fits returns nil where a payload with these members is of the shape, else why it is not.
	fits func(object) error
	// decode reads a payload that fits. The id is that of the invocation.
	decode func(payload []byte, members object, id string) (*Batch, error)
}

// shapes are tried in this order.
var shapes = []shape{sqsShape, httpAPIShape, directShape}

// Decode tells by its shape where a payload came from and reads its requests. The
// invocation's id names a request that has no id of its own.
//
// A part of a payload that is no request becomes one that carries its error; an error of
// Decode itself, always a [*FunctionError], means that nothing at all could be read.
func Decode(payload []byte, invocationID string) (*Batch, error) {
	members, err := parseObject(payload)
	if err != nil {
		return nil, unknown("the payload is " + err.Error())
	}
	var why strings.Builder
	for _, s := range shapes {
		misfit := s.fits(members)
		if misfit == nil {
			batch, err := s.decode(payload, members, invocationID)
			if err != nil {
				return nil, unknown(fmt.Sprintf("%s: %v", s.source, err))
			}
			batch.Source = s.source
			for i := range batch.Requests {
				batch.Requests[i].Source = s.source
			}
			return batch, nil
		}
		fmt.Fprintf(&why, "; %s: %v", s.source, misfit)
	}
	return nil, unknown("the payload is of no known shape" + why.String())
}

func unknown(message string) *FunctionError {
	return &FunctionError{Type: policyOf(deletion.ClassInvalid).name, Message: message}
}

var errNoMember = errors.New("no such member")

// want says why a member is not the text that a shape asks for, or nil where it is.
func want(members object, name, value string) error {
	got, ok := members.text(name)
	switch {
	case !ok:
		return fmt.Errorf("%s: %w", name, errNoMember)
	case got != value:
		return fmt.Errorf("%s is %q, want %q", name, shorten(got), value)
	}
	return nil
}

// Panicked returns the error of an invocation that met a bug of this program.
func Panicked() *FunctionError {
	return &FunctionError{Type: policyOf(deletion.ClassInternal).name, Message: "the function panicked"}
}
