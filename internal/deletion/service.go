package deletion

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
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

// Deletion is the result of a successful call to delete a backup. Exactly one member is set, except
// that both may be empty if DDS named no job.
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
	// Deleter is DDS.
	Deleter Deleter
	// Ledger remembers outcomes.
	Ledger Ledger
	// Sink takes the events.
	Sink Sink
	// Scope is what may be deleted.
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
}

// Do works the requests concurrently and returns an outcome for each, in their order. A request
// that the deadline of ctx leaves no time for ends as [Retry]. Do never panics and never returns
// late: it stops deleting early enough to record, recording early enough to publish, and
// publishing early enough to reply.
func (s *Service) Do(ctx context.Context, requests []Request) []Outcome {
	outcomes := make([]Outcome, len(requests))
	stages := stagesOf(ctx, time.Now())
	if scope, err := s.scope(ctx); err != nil {
		failAll(&scope, requests, outcomes, err)
	} else {
		s.deleteAll(ctx, scope, stages, requests, outcomes)
	}

	publishing, cancel := withDeadline(ctx, stages.publish)
	defer cancel()
	s.publishAll(publishing, outcomes)

	for i := range outcomes {
		s.logOutcome(ctx, &outcomes[i])
	}
	return outcomes
}

// scope returns the scope, with its project looked up if necessary.
func (s *Service) scope(ctx context.Context) (Scope, error) {
	scope := s.Scope
	if scope.ProjectID != "" || s.FindProject == nil {
		return scope, nil
	}
	var err error
	scope.ProjectID, err = s.FindProject(ctx)
	return scope, err
}

// failAll fails all requests because the project could not be looked up. That says nothing about
// the requests, so they are retried whatever the error is.
func failAll(scope *Scope, requests []Request, outcomes []Outcome, err error) {
	lookup := explain(err)
	if statusOf(lookup.Class) != Retry {
		lookup.Class, lookup.RetryAfter = ClassForbidden, retryAfter(ClassForbidden)
	}
	for i, request := range requests {
		_ = scope.admit(&request) // removes invalid ids
		outcomes[i] = failed(request, lookup)
	}
}

// stages are the times at which each part of the work must end so that there is time for the next
// part; zero if there is no deadline.
type stages struct {
	delete, record, publish, end time.Time
}

// stagesOf divides the time until the deadline of ctx.
func stagesOf(ctx context.Context, now time.Time) stages {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return stages{}
	}
	left := max(deadline.Sub(now), 0)
	s := stages{end: deadline}
	s.publish = deadline.Add(-min(left/10, 500*time.Millisecond))
	s.record = s.publish.Add(-min(left/8, 2*time.Second))
	s.delete = s.record.Add(-min(left/8, 2*time.Second))
	return s
}

// withDeadline returns ctx with a deadline, unless the deadline is zero.
func withDeadline(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline)
}

// now returns the wall clock time. The monotonic clock stops while a function is frozen, but leases
// go on expiring.
func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now().Round(0)
}

// protect calls f and reports whether it panicked. It logs the panic, with the request unless that
// is nil. It guards the three places where a panic must cost only what it hit: one group of
// requests, one write to the ledger (a job id was just received), and one call of the sink.
func (s *Service) protect(ctx context.Context, r *Request, f func()) (panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			panicked = true
			var attrs []slog.Attr
			if r != nil {
				attrs = requestAttrs(r)
			}
			attrs = append(attrs, slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
			s.Log.LogAttrs(ctx, slog.LevelError, "panic", attrs...)
		}
	}()
	f()
	return false
}
