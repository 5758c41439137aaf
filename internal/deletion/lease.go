package deletion

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

const (
	// leaseMargin is how much longer a lease lasts than its holder works, because clocks may differ
	// a little.
	leaseMargin = 5 * time.Second
	// unboundedLease is how long the lease of a holder without a deadline lasts, for example outside Lambda.
	unboundedLease = 15 * time.Minute
)

// lease is the right to delete one backup.
type lease struct {
	token     string
	end       time.Time // when the holder must stop working
	maybeSent bool      // an earlier holder may have sent the DELETE
}

// begin asks the ledger about each request of a group. It decides those that the ledger can decide,
// and returns the others with one lease for them all.
func (s *Service) begin(ctx context.Context, until time.Time, group []*Outcome) (open []*Outcome, l lease) {
	for _, o := range group {
		claim, end, err := s.claim(ctx, until, &o.Request)
		switch {
		case err != nil:
			*o = failed(o.Request, newError(ClassUnavailable, err.Error()))
			o.LedgerFailed = ctx.Err() == nil // otherwise there was no time to ask it
			continue
		case claim.Record != nil:
			*o = claim.Record.replay(o.Request)
			continue
		case claim.Lease != "":
			l.token, l.end = claim.Lease, end
		case len(open) == 0: // otherwise the lease is the one that this group holds
			*o = failed(o.Request, &Error{
				Class: ClassConflict, Message: "another delivery of a request for this backup is being worked", RetryAfter: max(claim.BusyFor, time.Second),
			})
			continue
		}
		l.maybeSent = l.maybeSent || claim.MaybeSent
		open = append(open, o)
	}
	return open, l
}

// claim asks the ledger for a lease that lasts as long as the invocation, and returns when its
// holder must stop. It does not ask if there is no time left.
func (s *Service) claim(ctx context.Context, until time.Time, r *Request) (claim Claim, end time.Time, err error) {
	if ctx.Err() != nil {
		return Claim{}, time.Time{}, errors.New("no time was left to start the deletion")
	}
	duration := unboundedLease
	if !until.IsZero() {
		duration = max(time.Until(until), 0)
	}
	now := s.now()
	claim, err = s.Ledger.Begin(ctx, r, duration+leaseMargin)
	if err != nil {
		s.Log.LogAttrs(ctx, slog.LevelWarn, "ledger: begin", requestAttrs(r, slog.String("error", err.Error()))...)
		return Claim{}, time.Time{}, errors.New("the ledger cannot be asked, so nothing was deleted")
	}
	return claim, now.Add(duration), nil
}
