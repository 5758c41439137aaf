package deletion

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"time"
)

const (
	// leaseMargin is how much longer a lease lasts than its holder needs it, because clocks may differ
	// a little.
	leaseMargin = 5 * time.Second
	// unboundedLease is how long the lease of a holder without a deadline lasts, for example outside Lambda.
	unboundedLease = 15 * time.Minute
	// recordTime bounds how long recording is retried if there is no deadline.
	recordTime = time.Minute
)

// lease is the right to delete one backup.
type lease struct {
	token     string
	stopAt    time.Time // when the holder must stop working
	maybeSent bool      // an earlier holder may have sent the DELETE
}

// begin asks the ledger about each request of a group. It sets the outcome of each that the
// ledger knows, cannot answer for, or has leased to another holder, and returns the rest with one lease
// for them all.
func (s *Service) begin(ctx context.Context, deadline time.Time, group []*Outcome) (undecided []*Outcome, held lease) {
	for _, o := range group {
		claim, stopAt, err := s.askLedger(ctx, deadline, &o.Request)
		switch {
		case err != nil:
			*o = failed(o.Request, newError(ClassUnavailable, err.Error()))
			o.LedgerFailed = ctx.Err() == nil // otherwise there was no time to ask it
			continue
		case claim.Record != nil:
			*o = claim.Record.replay(o.Request)
			continue
		case claim.Lease != "":
			held.token, held.stopAt = claim.Lease, stopAt
		case held.token == "": // somebody else has the lease
			*o = failed(o.Request, &Error{
				Class: ClassConflict, Message: "another delivery of a request for this backup is being processed", RetryAfter: max(claim.BusyFor, time.Second),
			})
			continue
		default: // this group has the lease
		}
		held.maybeSent = held.maybeSent || claim.MaybeSent
		undecided = append(undecided, o)
	}
	return undecided, held
}

// askLedger asks for a lease until the deadline, and returns when its holder must stop. It does not ask
// if there is no time left.
func (s *Service) askLedger(ctx context.Context, deadline time.Time, r *Request) (claim Claim, stopAt time.Time, err error) {
	if ctx.Err() != nil {
		return Claim{}, time.Time{}, errors.New("no time was left to start the deletion")
	}
	duration := unboundedLease
	if !deadline.IsZero() {
		duration = max(time.Until(deadline), 0)
	}
	stopAt = s.now().Add(duration)
	claim, err = s.Ledger.Begin(ctx, r, duration+leaseMargin)
	if err != nil {
		logRequest(ctx, s.Log, slog.LevelWarn, "ledger: begin", r, slog.String("error", err.Error()))
		err = errors.New("the ledger could not be reached, so nothing was deleted")
	}
	return claim, stopAt, err
}

// recordOrRelease records the outcomes of one backup before they are published, because an outcome that
// no ledger has could be published in two versions. If there is no verdict, it releases the lease.
func (s *Service) recordOrRelease(ctx context.Context, token string, maybeSent bool, group []*Outcome) {
	first := group[0]
	if first.Status == Retry {
		if err := s.Ledger.Release(ctx, &first.Request, token, maybeSent); err != nil {
			// The lease expires by itself, and then counts as released with maybeSent.
			logRequest(ctx, s.Log, slog.LevelWarn, "ledger: release", &first.Request, slog.String("error", err.Error()))
		}
		return
	}
	records, group := recordsOf(group)
	if len(records) == 0 {
		return
	}
	// A refusal leaves open what an earlier DELETE did, so the next request must know of that DELETE.
	recorded, err := s.record(ctx, token, maybeSent && !finalForBackup(first.Status), records)
	switch {
	case err == nil && recorded.Earlier == nil: // stored
	case err != nil && first.JobID != "":
		// It is published anyway: otherwise the job id would be lost, and no other one can follow.
		logRequest(ctx, s.Log, slog.LevelError, "ledger: not recorded", &first.Request, slog.String("job_id", first.JobID), slog.String("error", err.Error()))
		for _, o := range group {
			o.LedgerFailed = true
		}
	default:
		for _, o := range group {
			*o = unrecorded(o.Request, recorded.Earlier, err)
		}
	}
}

// recordsOf writes the events of the outcomes. It returns what the ledger must remember, one record
// that is final for the backup or one for each request, and the outcomes that these records cover.
// Requests whose records would make one write larger than [MaxRecorded] are retried.
func recordsOf(group []*Outcome) (records []Record, covered []*Outcome) {
	records, covered = make([]Record, 0, len(group)), make([]*Outcome, 0, len(group))
	size := 0
	for _, o := range group {
		o.writeEvent()
		record := Record{o.Request, o.Status, o.Event.JSON}
		known := slices.ContainsFunc(records, func(earlier Record) bool {
			return earlier.Final() || earlier.Request.Identity() == o.Request.Identity()
		})
		if !known {
			size += len(record.Event)
			if size > MaxRecorded {
				*o = failed(o.Request, newError(ClassUnavailable, "too many requests for this backup came at once"))
				continue
			}
			records = append(records, record)
		}
		covered = append(covered, o)
	}
	return records, covered
}

// record writes to the ledger and retries until ctx ends, because an outcome that is not recorded
// now may never be known again.
func (s *Service) record(ctx context.Context, token string, maybeSent bool, records []Record) (recorded Recorded, err error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, recordTime)
		defer cancel()
	}
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if protect(ctx, s.Log, nil, func() { recorded, err = s.Ledger.Record(ctx, token, maybeSent, records) }) {
			err = errors.New("the ledger panicked")
		}
		if err == nil || errors.Is(err, ErrLeaseLost) {
			return recorded, err
		}
		select {
		case <-ctx.Done():
			return Recorded{}, err
		case <-time.After(wait):
		}
	}
}

// unrecorded returns the outcome to report when the ledger did not store ours: the earlier record, a
// conflict, or a retry.
func unrecorded(request Request, earlier *Record, err error) Outcome {
	switch {
	case err == nil:
		return earlier.replay(request)
	case errors.Is(err, ErrLeaseLost):
		return failed(request, newError(ClassConflict, err.Error()))
	default:
		// A retry loses nothing.
		o := failed(request, newError(ClassUndelivered, "the outcome could not be recorded"))
		o.Err.Cause, o.LedgerFailed = err.Error(), true
		return o
	}
}

// replay returns the recorded outcome as the outcome of request, which need not be the request
// that was recorded. DDS is not asked.
func (r *Record) replay(request Request) Outcome {
	var e cloudEvent
	var data Data
	if json.Unmarshal(r.Event, &e) != nil || json.Unmarshal(e.Data, &data) != nil {
		return failed(request, newError(ClassInternal, "the ledger holds an event that cannot be read"))
	}
	return Outcome{
		Request: request, Status: r.Status, JobID: data.JobID, Err: data.Error, Replayed: true,
		Event: e.event(r.Event, data.Status, data.ProjectID, request.TraceHeader),
	}
}
