package deletion

import (
	"context"
	"errors"
	"time"
)

// Ledger remembers outcomes, so that a redelivered request does no harm. For each backup it holds
// a lease or its outcome:
//
//	none ──Begin──▶ leased ──Record──▶ done
//	  ▲               │
//	  └───Release─────┘   (with maybeSent: the next lease comes with a warning)
//
// An expired lease counts as released with maybeSent: its holder may have sent the DELETE before
// it died.
type Ledger interface {
	// Begin asks for a lease on the request's backup that lasts for the given duration. An error means
	// that the caller has no lease, so it must not delete.
	Begin(ctx context.Context, r *Request, duration time.Duration) (Claim, error)
	// Record stores outcomes under a lease and ends the lease. Accepted and unconfirmed are one
	// record that is final for the backup; all others are one record for each request. The events
	// of one call have [MaxRecorded] bytes at most.
	//
	// Record succeeds if the same records are already there, because the answer to an earlier
	// write may have been lost. It returns [ErrLeaseLost] if another holder has the lease. A job
	// id needs no lease: it may still replace unconfirmed, and nothing replaces it.
	Record(ctx context.Context, token string, maybeSent bool, records []Record) (Recorded, error)
	// Release ends the lease without an outcome. With maybeSent, the deletion may have been started.
	// After an error the lease lasts until it expires.
	Release(ctx context.Context, r *Request, token string, maybeSent bool) error
}

// MaxRecorded bounds, in bytes, the events of one call of [Ledger.Record], because a ledger bounds
// what it keeps for one backup; DynamoDB, for example, bounds an item.
const MaxRecorded = 256 << 10

// ErrLeaseLost says that the lease expired and another holder has it.
var ErrLeaseLost = errors.New("the lease on the backup expired, and another holder has it")

// Claim is the answer to [Ledger.Begin]. Exactly one of Lease, Record and BusyFor is set.
type Claim struct {
	// Lease is the token of the lease that the caller now holds.
	Lease string
	// Record is the known outcome of the backup or of this request.
	Record *Record
	// BusyFor is how long the lease of another holder lasts.
	BusyFor time.Duration
	// MaybeSent warns that an earlier holder may have sent the DELETE. It may be set beside
	// BusyFor, for a holder that processes several requests for one backup.
	MaybeSent bool
}

// Recorded is the answer to [Ledger.Record]. The zero value means that the records are stored.
type Recorded struct {
	// Earlier is the record that was final for the backup before; the new ones were not stored.
	Earlier *Record
}

// Record is an outcome as the ledger keeps it.
type Record struct {
	// Request is the request that was decided. A ledger stores only its identity, and returns the
	// request that asks.
	Request Request
	// Status is the verdict.
	Status Status
	// Event is the JSON of the event, which is published again for every repeat.
	Event []byte
}

// Final reports whether the record answers every request for the backup, and not only its own.
func (r *Record) Final() bool { return finalForBackup(r.Status) }
