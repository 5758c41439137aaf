package deletion

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"
)

// recordTime bounds how long recording is retried if there is no deadline.
const recordTime = time.Minute

// recordOrRelease records the outcomes of one backup before they are published. If there is no
// verdict, it releases the lease.
func (s *Service) recordOrRelease(ctx context.Context, lease string, maybeSent bool, open []*Outcome) {
	first := open[0]
	if first.Status == Retry {
		if err := s.Ledger.Release(ctx, &first.Request, lease, maybeSent); err != nil {
			// The lease expires by itself, and then counts as released with maybeSent.
			s.Log.LogAttrs(ctx, slog.LevelWarn, "ledger: release", requestAttrs(&first.Request, slog.String("error", err.Error()))...)
		}
		return
	}
	records, open := recordsOf(open)
	if len(records) == 0 {
		return
	}
	recorded, err := s.record(ctx, lease, maybeSent && !finalForBackup(first.Status), records)
	switch {
	case err == nil && recorded.Earlier == nil: // stored
	case err != nil && first.JobID != "":
		// It is published anyway: otherwise the job id would be lost, and no other one can follow.
		s.Log.LogAttrs(ctx, slog.LevelError, "ledger: not recorded",
			requestAttrs(&first.Request, slog.String("job_id", first.JobID), slog.String("error", err.Error()))...)
		for _, o := range open {
			o.LedgerFailed = true
		}
	default:
		for _, o := range open {
			*o = unrecorded(o.Request, recorded.Earlier, err)
		}
	}
}

// recordsOf writes the events of the outcomes. It returns what the ledger must remember, one record
// that is final for the backup or one for each request, and the outcomes that these records decide.
// Requests whose records would make one write larger than [MaxRecorded] are retried.
func recordsOf(open []*Outcome) (records []Record, decided []*Outcome) {
	records, decided = make([]Record, 0, len(open)), make([]*Outcome, 0, len(open))
	size := 0
	for _, o := range open {
		if err := o.writeEvent(); err != nil {
			o.undelivered(err)
			continue
		}
		record := Record{o.Request, o.Status, o.Event.JSON}
		if len(records) == 0 || (!record.Final() && !slices.ContainsFunc(records, record.sameRequest)) {
			if size += len(record.Event); size > MaxRecorded {
				*o = failed(o.Request, newError(ClassUnavailable, "too many requests for this backup came at once"))
				continue
			}
			records = append(records, record)
		}
		decided = append(decided, o)
	}
	return records, decided
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
		// A retry loses nothing. An outcome that no ledger has could be published in two versions.
		o := failed(request, newError(ClassUndelivered, "the outcome could not be recorded"))
		o.Err.Cause, o.LedgerFailed = err.Error(), true
		return o
	}
}

// record writes to the ledger and retries until ctx ends, because an outcome that is not recorded
// now may never be known again.
func (s *Service) record(ctx context.Context, lease string, maybeSent bool, records []Record) (recorded Recorded, err error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, recordTime)
		defer cancel()
	}
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if s.protect(ctx, nil, func() { recorded, err = s.Ledger.Record(ctx, lease, maybeSent, records) }) {
			recorded, err = Recorded{}, errors.New("the ledger panicked")
		}
		if err == nil || errors.Is(err, ErrLeaseLost) {
			return recorded, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return Recorded{}, err
		case <-timer.C:
		}
	}
}
