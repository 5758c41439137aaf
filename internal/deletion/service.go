package deletion

import (
	"context"
	"log/slog"
	"time"
)

// Sink publishes events, for many goroutines at once. It returns one error for each event, nil for an event that it took.
type Sink interface {
	Publish(ctx context.Context, events []Event) []error
}

// Service turns requests into outcomes. It keeps no state between requests. All fields are set
// before the first use.
type Service struct {
	// Backups calls DDS.
	Backups Backups
	// Ledger remembers outcomes and what is due.
	Ledger Ledger
	// Durable says that the ledger outlives this process. Otherwise it keeps no requests, and follows nothing.
	Durable bool
	// Sink takes the events.
	Sink Sink
	// Scope limits what a request may name, and holds the defaults.
	Scope Scope
	// DryRun makes every request a dry run. Otherwise [Request.DryRun] decides.
	DryRun bool
	// RequireManual looks each backup up first and deletes only a finished manual one.
	RequireManual bool
	// Follow follows each deletion to its end. It needs RequireManual and Durable.
	Follow bool
	// FollowAlarmAfter is how long a deletion may be followed before it counts as overdue; 0 for any time.
	FollowAlarmAfter time.Duration
	// StopDeletions sends no DELETE. Requests are given back or kept.
	StopDeletions bool
	// MaxRequestAge is how old a request may be; 0 for any age.
	MaxRequestAge time.Duration
	// FindProject looks up the scope's project while it is not known; nil if it is configured.
	FindProject func(context.Context) (string, error)
	// Concurrency is how many deletions run at once, at least 1.
	Concurrency int
	// Now is the clock of leases; nil for [time.Now].
	Now func() time.Time
	// Log gets one line for every job id as soon as DDS returns it, and one for every outcome.
	Log *slog.Logger
	// Together runs a function that only logs, so that its lines can be written with one call; nil to
	// write each at once.
	Together func(func())
}

// now returns the wall clock time. The monotonic clock stops while a function is frozen, but leases
// go on expiring.
func (s *Service) now() time.Time {
	now := time.Now()
	if s.Now != nil {
		now = s.Now()
	}
	return now.Round(0).Truncate(time.Millisecond) // a ledger keeps no smaller unit
}
