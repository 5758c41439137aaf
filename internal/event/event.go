// Package event is the way in and the way out for payloads: it turns the payload of a source into
// deletion requests, and their outcomes into the reply that the source's protocol asks for. It knows
// neither DDS nor any AWS client. What a message asks for is read by package body, and what an HTTP
// call asks for by package httpapi; event only knows what is around them.
//
// Each family of sources has a file of its own, and each source an entry in [sources].
package event

import (
	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/httpapi"
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
}

// reader returns the reader of the bodies in payloads.
func (d *Decoder) reader() *body.Reader { return &body.Reader{RequestType: d.RequestType} }

// API returns the HTTP API that the HTTP fronts stand before. Its Work is up to the caller.
func (d *Decoder) API() *httpapi.Handler {
	return &httpapi.Handler{Body: *d.reader(), BasePath: d.BasePath}
}

// Invocation is what the host knows of an invocation.
type Invocation struct {
	// ID names a request that has no id of its own.
	ID string
	// TraceHeader is the X-Ray trace header; empty if there is none.
	TraceHeader string
}

// source is one kind of payload.
type source struct {
	name deletion.Source
	// fits recognises a payload of the source by its members; nil if the payload is an array.
	fits func(strictjson.Object) bool
	// decode reads a payload that fits.
	decode func(*Decoder, payload, Invocation) (*Batch, error)
}

// payload is a payload that was parsed.
type payload struct {
	value    strictjson.Value
	members  strictjson.Object  // of an object
	elements []strictjson.Value // of an array
}
