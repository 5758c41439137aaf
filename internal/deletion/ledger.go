package deletion

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Ledger is the memory of outcomes that makes repeats harmless. For each backup it holds a
// lease, or what became of it:
//
//	none ──Begin──▶ leased ──Record──▶ done
//	  ▲               │
//	  └───Release─────┘   (with maybeSent: the next lease comes with a warning)
//
// A lease that ran out counts as one released with maybeSent: its holder may have sent the
// DELETE before it died.
type Ledger interface {
	// Begin asks for the lease of the request's backup. It lasts as long as given.
	Begin(ctx context.Context, r *Request, lease time.Duration) (Begun, error)
	// Record notes outcomes under the lease of that token, and ends it. Accepted and
	// unconfirmed are one record, final for the backup; all others are one for each request.
	// It returns nil, also where the very same records are there already (the answer to a write
	// may be lost), or the record that was final before, or [ErrLeaseLost] where somebody else
	// holds the lease. The events of one call take [MaxRecorded] bytes at most. A job id is never refused for want of the lease: it may still
	// replace unconfirmed, and nothing replaces it.
	Record(ctx context.Context, token string, maybeSent bool, records []Record) (earlier *Record, err error)
	// Release gives the lease back without an outcome. With maybeSent, the deletion may have
	// been started.
	Release(ctx context.Context, r *Request, token string, maybeSent bool) error
}

// MaxRecorded bounds, in bytes, the events that one call of [Ledger.Record] brings: a ledger bounds
// what it keeps of a backup, as DynamoDB does with an item.
const MaxRecorded = 256 << 10

// ErrLeaseLost says that the lease ran out and somebody else has it.
var ErrLeaseLost = errors.New("the lease of the backup ran out and is somebody else's")

// Begun is the answer to [Ledger.Begin]: a lease, or a record, or neither where somebody else
// holds the lease.
type Begun struct {
	// Token is that of the lease; empty where there is none.
	Token string
	// MaybeSent warns that an earlier holder may have sent the DELETE. It also stands beside
	// BusyFor, for a holder that works several requests for one backup.
	MaybeSent bool
	// Done is what became of the backup, or of this very request.
	Done *Record
	// BusyFor is how long the lease of somebody else lasts.
	BusyFor time.Duration
}

// Record is an outcome as the ledger keeps it.
type Record struct {
	// Request is the request that was decided. A ledger keeps its identity at the most, and gives
	// back the request that asks.
	Request Request
	// Status is the verdict.
	Status Status
	// Event is the JSON of the event, to be published again for every repeat.
	Event []byte
}

// Final reports whether the record is final for the backup, and not just for its request.
func (r *Record) Final() bool { return finalForBackup(r.Status) }

func (r *Record) sameRequest(other Record) bool {
	return r.Request.Identity() == other.Request.Identity()
}

func finalForBackup(s Status) bool { return s == Accepted || s == Unconfirmed }

// replay is the outcome that a record stands for, for a request that may be another one. DDS
// is not asked.
func (r *Record) replay(request Request) Outcome {
	var e cloudEvent
	var data Data
	err := json.Unmarshal(r.Event, &e)
	if err == nil {
		err = json.Unmarshal(e.Data, &data)
	}
	if err != nil {
		return failed(request, newError(ClassInternal, "the ledger holds an event that cannot be read"))
	}
	o := Outcome{
		Request:  request,
		Status:   r.Status,
		JobID:    data.JobID,
		Replayed: true,
		Event: Event{
			ID: e.ID, Type: e.Type, Source: e.Source, Subject: e.Subject,
			TraceParent: e.TraceParent, TraceHeader: request.TraceHeader,
			Status: data.Status, ProjectID: data.ProjectID, Data: e.Data, JSON: r.Event,
		},
	}
	if d := data.Error; d != nil {
		o.Err = &Error{
			Class: d.Class, Code: d.Code, Message: d.Message, HTTPStatus: d.HTTPStatus, DDSRequestID: d.DDSRequestID,
		}
	}
	return o
}
