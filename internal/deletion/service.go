package deletion

import (
	"context"
	"log/slog"
	"time"
)

// Deleter deletes backups. Its errors are [*Error] values.
type Deleter interface {
	// DeleteBackup starts the deletion of a backup. With maybeSent, an earlier call may have
	// started it already.
	DeleteBackup(ctx context.Context, backup Target, maybeSent bool) (Deletion, error)
	// CheckBackup returns the error that DeleteBackup would return without asking DDS for the
	// deletion, or nil. It changes nothing.
	CheckBackup(ctx context.Context, backup Target) error
}

// Deletion is the result of a successful call to delete a backup. At most one member is set.
// If both are empty, DDS accepted the deletion and named no job.
type Deletion struct {
	// JobID is the id of the job that deletes the backup; empty if it is not known.
	JobID string
	// Unconfirmed says why the job id is not known although the deletion was started.
	Unconfirmed string
}

// Sink publishes events. It returns one error for each event, nil for an event that it took.
type Sink interface {
	Publish(ctx context.Context, events []Event) []error
}

// Service turns requests into outcomes. It keeps no state between requests. All fields are set
// before the first use.
type Service struct {
	// Deleter calls DDS.
	Deleter Deleter
	// Ledger remembers outcomes.
	Ledger Ledger
	// Sink takes the events.
	Sink Sink
	// Scope limits what a request may name, and holds the defaults.
	Scope Scope
	// DryRun makes every request a dry run. Otherwise [Request.DryRun] decides.
	DryRun bool
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
	if s.Now != nil {
		return s.Now()
	}
	return time.Now().Round(0)
}
