package deletion

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/retry"
)

// Deleter deletes backups. Its errors are [*dds.Error] values.
type Deleter interface {
	// DeleteBackup starts the deletion of a backup. With maybeSent, an earlier call may have started
	// it already.
	DeleteBackup(ctx context.Context, backup dds.Target, maybeSent bool) (dds.Deletion, error)
	// CheckBackup returns the error that DeleteBackup would return without asking DDS for the
	// deletion, or nil. It changes nothing.
	CheckBackup(ctx context.Context, backup dds.Target) error
}

// Sink publishes events. It returns one error for each event, nil for one that was taken.
type Sink interface {
	Publish(ctx context.Context, events []Event) []error
}

// leaseMargin is how much longer a lease lasts than its holder may work, so that clocks may
// differ a little.
const leaseMargin = 5 * time.Second

// maxGroup is how many requests for one backup one write to the ledger decides.
const maxGroup = 50

// recordTime bounds how long an outcome is tried to be recorded where there is no deadline.
const recordTime = time.Minute

// unbounded is how long a lease lasts whose holder has no deadline, as outside Lambda.
const unbounded = 15 * time.Minute

// Service turns requests into outcomes. It keeps no state of a request; all fields are set
// once, before the first use.
type Service struct {
	// Deleter is DDS.
	Deleter Deleter
	// Ledger remembers outcomes.
	Ledger Ledger
	// Sink takes the events.
	Sink Sink
	// Scope is what may be deleted.
	Scope Scope
	// DryRun makes a dry run of every request. Without it, only those with [Request.DryRun] are.
	DryRun bool
	// FindProject looks the scope's project up where it is not known yet; nil where it is.
	FindProject func(context.Context) (string, error)
	// Concurrency is how many deletions run at once, at least 1.
	Concurrency int
	// Now is the clock that leases are held against; nil for [time.Now].
	Now func() time.Time
	// Log gets a line for every job id the instant DDS gives it, and one for every outcome.
	Log *slog.Logger
}

// Do works the requests at once and returns an outcome for each, in their order. What the
// deadline of ctx leaves no time for ends as [Retry]. Do never panics and never returns late:
// it stops deleting early enough to record, recording early enough to publish, and publishing
// early enough to reply.
func (s *Service) Do(ctx context.Context, requests []Request) []Outcome {
	outcomes := make([]Outcome, len(requests))
	stages := stagesOf(ctx, time.Now())
	if scope, err := s.scope(ctx); err != nil {
		lookup := explain(err)
		if statusOf(lookup.Class) != Retry { // it says nothing about the requests
			lookup.Class, lookup.RetryAfter = ClassForbidden, retryAfter(ClassForbidden)
		}
		for i, request := range requests {
			_ = scope.admit(&request) // for what it takes out
			outcomes[i] = failed(request, lookup)
		}
	} else {
		s.deleteAll(ctx, scope, stages, requests, outcomes)
	}

	publishing, cancel := within(ctx, stages.publish)
	defer cancel()
	s.publishAll(publishing, outcomes)

	for i := range outcomes {
		s.logOutcome(ctx, &outcomes[i])
	}
	return outcomes
}

// scope is the scope with its project.
func (s *Service) scope(ctx context.Context) (Scope, error) {
	scope := s.Scope
	if scope.ProjectID != "" || s.FindProject == nil {
		return scope, nil
	}
	var err error
	scope.ProjectID, err = s.FindProject(ctx)
	return scope, err
}

// stages are the moments at which each part of the work must be over, so that there is time
// for the next; zero where there is no deadline.
type stages struct {
	delete, record, publish, end time.Time
}

// stagesOf divides what is left until the deadline of ctx.
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

// within returns ctx with an earlier deadline, unless that is zero.
func within(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline)
}

// deleteAll fills outcomes. Requests for one backup share one call to DDS, and what came of it,
// unless they have an order.
func (s *Service) deleteAll(ctx context.Context, scope Scope, stages stages, requests []Request, outcomes []Outcome) {
	// One context for all: a deadline costs a timer.
	deleting, cancel := within(ctx, stages.delete)
	defer cancel()
	recording, cancel := within(ctx, stages.record)
	defer cancel()
	work := func(group []int) { s.work(deleting, recording, stages.end, outcomes, group) }
	var workers errgroup.Group
	workers.SetLimit(s.Concurrency)
	// A dry run shares nothing with a deletion.
	type call struct {
		dds.Target

		dryRun bool
	}
	groups := make(map[call][]int, len(requests))
	orders := make(map[string][]int)
	var calls []call
	for i, request := range requests {
		request.DryRun = request.DryRun || s.DryRun
		err := scope.admit(&request)
		if request.Order != "" {
			orders[request.Order] = append(orders[request.Order], i)
		}
		if err != nil {
			outcomes[i] = withEvent(failed(request, err), &requests[i])
			continue
		}
		outcomes[i].Request = request
		if request.Order != "" {
			continue
		}
		c := call{request.target(), request.DryRun}
		if groups[c] == nil {
			calls = append(calls, c)
		}
		groups[c] = append(groups[c], i)
	}
	for _, order := range orders {
		workers.Go(func() error {
			inOrder(outcomes, order, work)
			return nil
		})
	}
	for _, c := range calls {
		group := groups[c]
		workers.Go(func() error {
			for part := range slices.Chunk(group, maxGroup) {
				work(part)
			}
			return nil
		})
	}
	_ = workers.Wait() // no worker returns an error
}

// withEvent returns an outcome that the ledger does not keep, with its event unless it is a [Retry].
func withEvent(o Outcome, asked *Request) Outcome {
	if o.Status != Retry {
		if err := o.writeUnrecorded(asked); err != nil {
			undelivered(&o, err)
		}
	}
	return o
}

// inOrder works the requests of one order, which stand at these places in outcomes, one after
// the other. After the first message that needs another try it stops: the source delivers that
// one again, and all after it. The requests of one message do not stop each other.
func inOrder(outcomes []Outcome, order []int, work func(group []int)) {
	var stopped *Outcome
	for _, i := range order {
		o := &outcomes[i]
		switch {
		case stopped != nil && o.Request.MessageID != stopped.Request.MessageID:
			*o = failed(o.Request, &Error{
				Class: stopped.Err.Class, RetryAfter: stopped.Err.RetryAfter,
				Message: "it comes after a request of the same order that needs another try: " + stopped.Request.MessageID,
			})
			continue
		case o.Status == "":
			work([]int{i})
		}
		if stopped == nil && o.Status == Retry {
			copied := *o
			stopped = &copied
		}
	}
}

// work decides the requests for one backup, which stand at the places of group in outcomes. A
// panic is the failure of these requests alone.
func (s *Service) work(deleting, recording context.Context, end time.Time, outcomes []Outcome, group []int) {
	defer func() {
		if p := recover(); p != nil {
			r := outcomes[group[0]].Request
			s.Log.LogAttrs(recording, slog.LevelError, "panic", requestAttrs(&r, slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))...)
			for _, i := range group {
				if o := &outcomes[i]; o.Status == "" {
					*o = failed(o.Request, newError(ClassInternal, "the deletion panicked"))
				}
			}
		}
	}()
	if outcomes[group[0]].Request.DryRun {
		s.simulate(deleting, outcomes, group)
		return
	}
	open, begun, leaseEnd := s.beginAll(deleting, end, outcomes, group)
	if len(open) == 0 {
		return
	}
	began := time.Now()
	verdict := s.ask(deleting, outcomes[open[0]].Request, begun.MaybeSent, leaseEnd)
	verdict.Took = time.Since(began)
	for _, i := range open {
		r := outcomes[i].Request
		outcomes[i] = verdict.Outcome
		outcomes[i].Request = r
	}
	s.settle(recording, begun, verdict.maybeSent, outcomes, open)
}

// simulate decides the dry runs for one backup, which stand at the places of group in outcomes. It
// makes no call to the ledger: a dry run takes no lease, replays nothing and leaves no trace.
func (s *Service) simulate(ctx context.Context, outcomes []Outcome, group []int) {
	var refusal *Error
	began := time.Now()
	if ctx.Err() != nil {
		refusal = newError(ClassUnavailable, "no time was left for the dry run")
	} else if err := s.Deleter.CheckBackup(ctx, outcomes[group[0]].Request.target()); err != nil {
		refusal = explain(err)
	}
	took := time.Since(began)
	for _, i := range group {
		o := Outcome{Request: outcomes[i].Request, Status: Simulated}
		if refusal != nil {
			o = failed(o.Request, refusal)
		}
		o.Took = took
		outcomes[i] = withEvent(o, &o.Request)
	}
}

// beginAll decides the requests of a group that the ledger can decide, and returns the places
// of the others, with the one lease for them all.
func (s *Service) beginAll(ctx context.Context, until time.Time, outcomes []Outcome, group []int) (open []int, lease Begun, leaseEnd time.Time) {
	for _, i := range group {
		o := &outcomes[i]
		begun, end, err := s.begin(ctx, until, &o.Request)
		switch {
		case err != nil:
			*o = failed(o.Request, newError(ClassUnavailable, err.Error()))
			o.LedgerFailed = ctx.Err() == nil // else it was not asked, or had no time
			continue
		case begun.Done != nil:
			*o = begun.Done.replay(o.Request)
			continue
		case begun.Token != "":
			begun.MaybeSent = begun.MaybeSent || lease.MaybeSent
			lease, leaseEnd = begun, end
		case len(open) == 0:
			*o = failed(o.Request, &Error{
				Class: ClassConflict, Message: "another delivery of a request for this backup is being worked", RetryAfter: max(begun.BusyFor, time.Second),
			})
			continue
		}
		lease.MaybeSent = lease.MaybeSent || begun.MaybeSent
		open = append(open, i)
	}
	return open, lease, leaseEnd
}

// begin asks the ledger for a lease that lasts as long as the invocation, and says when it ends.
// No time left is no time: then nothing is asked.
func (s *Service) begin(ctx context.Context, until time.Time, r *Request) (begun Begun, leaseEnd time.Time, err error) {
	if ctx.Err() != nil {
		return Begun{}, time.Time{}, errors.New("no time was left to start the deletion")
	}
	lease := unbounded
	if !until.IsZero() {
		lease = max(time.Until(until), 0)
	}
	now := s.now()
	begun, err = s.Ledger.Begin(ctx, r, lease+leaseMargin)
	if err != nil {
		s.Log.LogAttrs(ctx, slog.LevelWarn, "ledger: begin", requestAttrs(r, slog.String("error", err.Error()))...)
		return Begun{}, time.Time{}, errors.New("the ledger cannot be asked, so nothing was deleted")
	}
	return begun, now.Add(lease), nil
}

// now is the wall clock: the monotonic one stands still while a function is frozen, and leases
// do not.
func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now().Round(0)
}

// verdict is what DDS made of a deletion.
type verdict struct {
	Outcome

	maybeSent bool // the deletion may have been started
}

// ask asks DDS to delete one backup.
func (s *Service) ask(ctx context.Context, request Request, maybeSent bool, leaseEnd time.Time) verdict {
	// After a freeze the lease may be somebody else's by now, who must not meet our DELETE.
	if ctx.Err() != nil || !s.now().Before(leaseEnd) {
		return verdict{failed(request, newError(ClassUnavailable, "no time was left to start the deletion")), maybeSent}
	}
	deletion, err := s.Deleter.DeleteBackup(ctx, request.target(), maybeSent)
	if err != nil {
		var d *dds.Error
		if errors.As(err, &d) {
			maybeSent = maybeSent || d.AnswerLost
		}
		return verdict{failed(request, explain(err)), maybeSent}
	}
	if deletion.JobID == "" {
		return verdict{Outcome{Request: request, Status: Unconfirmed, Err: &Error{
			Class: ClassUnavailable, Message: deletion.Unconfirmed,
		}}, true}
	}
	s.logJob(ctx, &request, deletion.JobID)
	return verdict{Outcome{Request: request, Status: Accepted, JobID: deletion.JobID}, true}
}

// settle records the outcomes of one backup before they are published, or gives the lease back.
func (s *Service) settle(ctx context.Context, begun Begun, maybeSent bool, outcomes []Outcome, open []int) {
	first := &outcomes[open[0]]
	if first.Status == Retry {
		if err := s.Ledger.Release(ctx, &first.Request, begun.Token, maybeSent); err != nil {
			// The lease runs out by itself, and then counts as maybe sent.
			s.Log.LogAttrs(ctx, slog.LevelWarn, "ledger: release", requestAttrs(&first.Request, slog.String("error", err.Error()))...)
		}
		return
	}
	records, open := writeAll(outcomes, open)
	if len(records) == 0 {
		return
	}
	earlier, err := s.record(ctx, begun.Token, maybeSent && !finalForBackup(first.Status), records)
	if err == nil && earlier == nil {
		return // recorded as they are
	}
	if err != nil && first.JobID != "" {
		// Published all the same: the job id would be lost, and no other can come instead of it.
		s.Log.LogAttrs(ctx, slog.LevelError, "ledger: not recorded",
			requestAttrs(&first.Request, slog.String("job_id", first.JobID), slog.String("error", err.Error()))...)
		for _, i := range open {
			outcomes[i].LedgerFailed = true
		}
		return
	}
	for _, i := range open {
		outcomes[i] = instead(outcomes[i].Request, earlier, err)
	}
}

// writeAll writes the events of the outcomes at those places. It returns what the ledger has to
// remember, one record that is final for the backup or one for each request, and the places of the
// outcomes that these records decide. Requests whose records would make one write larger than
// [MaxRecorded] are given back.
func writeAll(outcomes []Outcome, open []int) (records []Record, decided []int) {
	records, decided = make([]Record, 0, len(open)), make([]int, 0, len(open))
	size := 0
	for _, i := range open {
		o := &outcomes[i]
		if err := o.write(); err != nil {
			undelivered(o, err)
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
		decided = append(decided, i)
	}
	return records, decided
}

// instead is the outcome of a request whose own was not recorded, and names no job.
func instead(request Request, earlier *Record, err error) Outcome {
	switch {
	case err == nil:
		return earlier.replay(request)
	case errors.Is(err, ErrLeaseLost):
		return failed(request, newError(ClassConflict, err.Error()))
	default:
		// Nothing is lost by another try, while an outcome that nobody remembers could be
		// published twice in two forms.
		o := failed(request, newError(ClassUndelivered, "the outcome could not be recorded"))
		o.Err.Cause, o.LedgerFailed = err.Error(), true
		return o
	}
}

// record writes to the ledger, again and again until ctx ends: what is not written down now
// may never be known again.
func (s *Service) record(ctx context.Context, token string, maybeSent bool, records []Record) (earlier *Record, err error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, recordTime)
		defer cancel()
	}
	for try := 1; ; try++ {
		earlier, err = s.recordOnce(ctx, token, maybeSent, records)
		if err == nil || errors.Is(err, ErrLeaseLost) {
			return earlier, err
		}
		if !retry.Wait(ctx, retry.Backoff(50*time.Millisecond, time.Second, try)) {
			return nil, err
		}
	}
}

// recordOnce writes to the ledger. A panic there must not cost a job id that was just earned.
func (s *Service) recordOnce(ctx context.Context, token string, maybeSent bool, records []Record) (earlier *Record, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.Log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			earlier, err = nil, errors.New("the ledger panicked")
		}
	}()
	return s.Ledger.Record(ctx, token, maybeSent, records)
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
		n, seen := place[o.Event.ID]
		if !seen {
			n = len(events)
			place[o.Event.ID] = n
			events = append(events, o.Event)
		}
		o.Event = events[n]
	}
	if len(events) == 0 {
		return
	}
	errs := s.publish(ctx, events)
	for i := range outcomes {
		if o := &outcomes[i]; o.Status != Retry {
			if err := errs[place[o.Event.ID]]; err != nil {
				undelivered(o, err)
				o.Unpublished = true
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
	o.Err = newError(ClassUndelivered, "the outcome could not be published")
	o.Err.Cause = err.Error()
}

// requestAttrs are the log attributes of every line about a request, with room for those that
// a line adds.
func requestAttrs(r *Request, more ...slog.Attr) []slog.Attr {
	attrs := append(make([]slog.Attr, 0, 20),
		slog.String("request_id", r.ID), slog.String("source", string(r.Source)),
		slog.String("project_id", r.ProjectID), slog.String("backup_id", r.BackupID))
	if r.MessageID != "" && r.MessageID != r.ID {
		attrs = append(attrs, slog.String("message_id", r.MessageID))
	}
	if r.TraceParent != "" {
		attrs = append(attrs, slog.String("traceparent", r.TraceParent))
	}
	if r.TraceHeader != "" {
		attrs = append(attrs, slog.String("trace_header", r.TraceHeader))
	}
	return append(attrs, more...)
}

// logJob writes down a job id before anything else is done, since nothing can find it again:
// whatever level the log is set to.
func (s *Service) logJob(ctx context.Context, r *Request, jobID string) {
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "job started", 0)
	line.AddAttrs(requestAttrs(r, slog.String("job_id", jobID))...)
	_ = s.Log.Handler().Handle(ctx, line) // there is nobody else to tell
}

// logOutcome writes the line of an outcome: at error level where a job id was not handed on.
func (s *Service) logOutcome(ctx context.Context, o *Outcome) {
	attrs := requestAttrs(&o.Request, slog.String("status", string(o.Status)))
	if len(o.Request.Metadata) > 0 {
		attrs = append(attrs, slog.Any("metadata", o.Request.Metadata)) // as JSON
	}
	if o.JobID != "" {
		attrs = append(attrs, slog.String("job_id", o.JobID))
	}
	if o.Event.ID != "" {
		attrs = append(attrs, slog.String("event_id", o.Event.ID))
	}
	if o.Replayed {
		attrs = append(attrs, slog.Bool("replayed", true))
	}
	if o.Took > 0 {
		attrs = append(attrs, slog.Int64("dds_ms", o.Took.Milliseconds()))
	}
	level := slog.LevelInfo
	if o.Err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("class", string(o.Err.Class)), slog.String("code", o.Err.Code), slog.String("error", o.Err.Message),
			slog.Int("http_status", o.Err.HTTPStatus), slog.String("dds_request_id", o.Err.DDSRequestID))
		if o.Err.Cause != "" {
			attrs = append(attrs, slog.String("cause", o.Err.Cause))
		}
		if o.Status == Retry {
			attrs = append(attrs, slog.Int64("retry_after", int64(o.Err.RetryAfter.Seconds())))
		}
		if o.Err.Class == ClassInternal || o.Err.Class == ClassUndelivered {
			level = slog.LevelError
		}
	}
	s.Log.LogAttrs(ctx, level, "outcome", attrs...)
}
