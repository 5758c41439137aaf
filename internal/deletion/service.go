package deletion

import (
	"context"
	"log/slog"
	"time"
)

// Backups is what this program needs of DDS. Its errors are [*Error] values.
type Backups interface {
	// LookUp returns what the backup list shows of a backup, asked for by its id. An absent backup is no
	// error.
	LookUp(ctx context.Context, backup Target) (Sight, error)
	// DeleteBackup starts the deletion of a backup, without any look-up before it. With maybeSent, an
	// earlier call may have started it already.
	DeleteBackup(ctx context.Context, backup Target, maybeSent bool) (Deletion, error)
	// Job returns the status of a job and, if it failed, the reason.
	Job(ctx context.Context, backup Target, jobID string) (status JobStatus, reason string, err error)
	// List returns a page of the backup list of a project, newest first, by backup id. What is missing there may
	// be on another page.
	List(ctx context.Context, region, projectID string) (map[string]Sight, error)
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
