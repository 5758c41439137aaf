package deletion

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"dds-backup-delete/internal/dds"
)

// Deleter starts the deletion of a backup. Its errors are [*dds.Error] values.
type Deleter interface {
	DeleteBackup(ctx context.Context, backup dds.Target) (dds.Deletion, error)
}

// Sink publishes events. It returns one error for each event, nil for one that was taken.
type Sink interface {
	Publish(ctx context.Context, events []Event) []error
}

// Service turns requests into outcomes. It keeps no state of a request; all fields are set
// once, before the first use.
type Service struct {
	// Deleter is DDS.
	Deleter Deleter
	// Sink takes the events.
	Sink Sink
	// Scope is what may be deleted.
	Scope Scope
	// Concurrency is how many deletions run at once, at least 1.
	Concurrency int
	// Log gets a line for every job id the instant DDS gives it, and one for every outcome.
	Log *slog.Logger
}

// Do works the requests at once and returns an outcome for each, in their order. What the
// deadline of ctx leaves no time for ends as [Retry]. Do never panics and never returns late:
// it stops deleting early enough to publish, and publishing early enough to reply.
func (s *Service) Do(ctx context.Context, requests []Request) []Outcome {
	outcomes := make([]Outcome, len(requests))
	deleteBy, publishBy := stages(ctx, time.Now())

	deleting, cancel := within(ctx, deleteBy)
	defer cancel()
	s.deleteAll(deleting, requests, outcomes)

	publishing, cancel := within(ctx, publishBy)
	defer cancel()
	s.publishAll(publishing, outcomes)

	for i := range outcomes {
		s.logOutcome(ctx, &outcomes[i])
	}
	return outcomes
}

// stages divides what is left until the deadline of ctx: when to stop deleting, so that there
// is time to publish, and when to stop publishing, so that there is time to reply. Both are
// zero where ctx has no deadline.
func stages(ctx context.Context, now time.Time) (deleteBy, publishBy time.Time) {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return time.Time{}, time.Time{}
	}
	left := max(deadline.Sub(now), 0)
	publishBy = deadline.Add(-min(left/10, 500*time.Millisecond))
	deleteBy = publishBy.Add(-min(left/4, 3*time.Second))
	return deleteBy, publishBy
}

// within returns ctx with an earlier deadline, unless that is zero.
func within(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline)
}

// deleteAll fills outcomes. Requests for one backup share one call to DDS, and what came of it.
func (s *Service) deleteAll(ctx context.Context, requests []Request, outcomes []Outcome) {
	var workers errgroup.Group
	workers.SetLimit(s.Concurrency)
	first := make(map[dds.Target]int, len(requests))
	same := make([]int, len(requests))
	for i, request := range requests {
		same[i] = i
		if err := s.Scope.admit(&request); err != nil {
			outcomes[i] = failed(request, err)
			continue
		}
		if twin, seen := first[request.target()]; seen {
			same[i], outcomes[i].Request = twin, request
			continue
		}
		first[request.target()] = i
		workers.Go(func() error {
			outcomes[i] = s.deleteOne(ctx, request)
			return nil
		})
	}
	_ = workers.Wait() // no worker returns an error
	for i, twin := range same {
		if twin != i {
			request := outcomes[i].Request
			outcomes[i] = outcomes[twin]
			outcomes[i].Request = request
		}
	}
}

// deleteOne asks DDS to delete one backup. A panic is this request's failure alone.
func (s *Service) deleteOne(ctx context.Context, request Request) (outcome Outcome) {
	defer func() {
		if p := recover(); p != nil {
			s.Log.ErrorContext(ctx, "panic", append(requestAttrs(&request), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))...)
			outcome = failed(request, newError(ClassInternal, "the deletion panicked"))
		}
	}()
	if ctx.Err() != nil {
		return failed(request, newError(ClassUnavailable, "no time was left to start the deletion"))
	}
	deletion, err := s.Deleter.DeleteBackup(ctx, request.target())
	switch {
	case err != nil:
		return failed(request, explain(err))
	case deletion.Simulated:
		return Outcome{Request: request, Status: Simulated}
	case deletion.JobID == "":
		return Outcome{Request: request, Status: Unconfirmed, Err: &Error{
			Class: ClassUnavailable, Message: deletion.Unconfirmed,
		}}
	}
	// Before anything else: nothing can find this id again.
	s.Log.InfoContext(ctx, "job started", append(requestAttrs(&request), "job_id", deletion.JobID)...)
	return Outcome{Request: request, Status: Accepted, JobID: deletion.JobID}
}

// publishAll publishes the events of all outcomes that are verdicts, each event once. An
// outcome whose event was not taken becomes a [Retry].
func (s *Service) publishAll(ctx context.Context, outcomes []Outcome) {
	var events []Event
	place := make(map[string]int, len(outcomes)) // event id to its place in events
	for i := range outcomes {
		o := &outcomes[i]
		if o.Status == Retry {
			continue
		}
		event, err := newEvent(o)
		if err != nil {
			undelivered(o, fmt.Errorf("the event could not be written: %w", err))
			continue
		}
		n, seen := place[event.ID]
		if !seen {
			n = len(events)
			place[event.ID] = n
			events = append(events, event)
		}
		o.Event = events[n]
	}
	if len(events) == 0 {
		return
	}
	errs := s.publish(ctx, events)
	for i := range outcomes {
		if o := &outcomes[i]; o.Event.ID != "" {
			if err := errs[place[o.Event.ID]]; err != nil {
				undelivered(o, err)
			}
		}
	}
}

// publish calls the sink. A panic, or too few results, fails every event.
func (s *Service) publish(ctx context.Context, events []Event) (errs []error) {
	fail := func(err error) []error {
		errs := make([]error, len(events))
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	defer func() {
		if p := recover(); p != nil {
			s.Log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			errs = fail(errors.New("the sink panicked"))
		}
	}()
	if errs = s.Sink.Publish(ctx, events); len(errs) != len(events) {
		return fail(fmt.Errorf("the sink answered for %d of %d events", len(errs), len(events)))
	}
	return errs
}

// failed returns the outcome of a request that err ended.
func failed(request Request, err *Error) Outcome {
	return Outcome{Request: request, Status: statusOf(err.Class), Err: err}
}

// undelivered turns a verdict that could not be handed on into a retry that keeps the job id.
func undelivered(o *Outcome, err error) {
	o.Status, o.Event = Retry, Event{}
	o.Err = newError(ClassUndelivered, "the outcome could not be published: "+err.Error())
}

// requestAttrs are the log attributes of every line about a request.
func requestAttrs(r *Request) []any {
	return []any{"request_id", r.ID, "source", string(r.Source), "project_id", r.ProjectID, "backup_id", r.BackupID}
}

// logOutcome writes the line of an outcome: at error level where a job id was not handed on.
func (s *Service) logOutcome(ctx context.Context, o *Outcome) {
	attrs := append(requestAttrs(&o.Request), "status", string(o.Status))
	if o.JobID != "" {
		attrs = append(attrs, "job_id", o.JobID)
	}
	if o.Event.ID != "" {
		attrs = append(attrs, "event_id", o.Event.ID)
	}
	level := slog.LevelInfo
	if o.Err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, "class", string(o.Err.Class), "code", o.Err.Code, "error", o.Err.Message,
			"http_status", o.Err.HTTPStatus, "dds_request_id", o.Err.DDSRequestID)
		if o.Err.Class == ClassInternal || o.Err.Class == ClassUndelivered {
			level = slog.LevelError
		}
	}
	s.Log.Log(ctx, level, "outcome", attrs...)
}
