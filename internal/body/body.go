// Package body reads what a text that was addressed to this program asks for: a plain request, a list
// of requests, a CloudEvent, or one of these in what another service wrapped around it. It refuses
// whatever is not certainly a request. It does not know how the text got here: it knows no source and no
// HTTP.
package body

import (
	"cmp"
	"time"

	"dds-backup-delete/internal/deletion"
)

// RequestType is the default type of the events that ask for a deletion.
const RequestType = deletion.TypePrefix + "requested.v1"

// Expected ends the message about a payload that is not recognised.
const Expected = `expected an event of a source in docs/sources.md, or {"backup_id": "…"}`

// MaxList bounds how many backups one message, or one call, may name.
const MaxList = 1000

// Reader reads bodies. The zero value is ready for use.
type Reader struct {
	// RequestType is the type by which an event that others can see, too, says that it asks for a
	// deletion; empty for the package's [RequestType].
	RequestType string
	// Ticks says that a body may be a tick instead of a request.
	Ticks bool
	// Queue says that the bodies are of a queue, where a topic or a bus may have put them.
	Queue bool
}

func (r Reader) requestType() string { return cmp.Or(r.RequestType, RequestType) }

// Content is what a body asks for.
type Content struct {
	// Requests are in the order of the body. A part that is not a valid request is one that carries an
	// error. There is one at least, unless all of the body is own outcome events or it is a tick.
	Requests []deletion.Request
	// List says that the body is an array or has the member backup_ids, so that its sender expects a list
	// of results.
	List bool
	// OwnEventReason says why an own outcome event in the body is not a request; empty if there is none.
	OwnEventReason string
	// Tick says that the body is a tick. It asks for no deletion.
	Tick bool
	// TickUntil is the time from which the tick asks for no other one; zero for a tick on schedule.
	TickUntil time.Time
	// NamesDryRun says that a request has the member dry_run, whatever its value.
	NamesDryRun bool
}

// Invalid returns content with one request that carries an Invalid error. It keeps the id and the
// trace of base so that the rejection can be reported.
func Invalid(base deletion.Request, why string) Content {
	base.ProjectID, base.Region, base.BackupID, base.DryRun, base.Metadata, base.ExpiresAt = "", "", "", false, nil, time.Time{}
	if base.Field != "" {
		why = base.Field + ": " + why
	}
	base.Err = &deletion.Error{Class: deletion.ClassInvalid, Message: why}
	return Content{Requests: []deletion.Request{base}}
}
