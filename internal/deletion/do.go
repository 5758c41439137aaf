package deletion

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// maxGroup is how many requests for one backup are processed together, with one write to the ledger.
const maxGroup = 50

// Do processes the requests concurrently and returns an outcome for each, in their order. A request
// for which the deadline of ctx leaves no time ends as [Retry]. Do never panics and never returns
// late: it stops deleting early enough to record, recording early enough to publish, and
// publishing early enough to reply.
func (s *Service) Do(ctx context.Context, requests []Request) []Outcome {
	outcomes := make([]Outcome, len(requests))
	stages := stagesOf(ctx, time.Now())
	scope := s.Scope
	var err error
	if scope.ProjectID == "" && s.FindProject != nil {
		scope.ProjectID, err = s.FindProject(ctx)
	}
	if err != nil {
		failAll(&scope, requests, outcomes, err)
	} else {
		s.deleteAll(ctx, scope, stages, requests, outcomes)
	}

	publishing, cancel := withDeadline(ctx, stages.publish)
	defer cancel()
	s.publishAll(publishing, outcomes)

	s.together(func() {
		for i := range outcomes {
			s.logOutcome(ctx, &outcomes[i])
		}
	})
	return outcomes
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

// call identifies requests that can share one call to DDS. A dry run shares nothing with a deletion.
type call struct {
	Target

	dryRun bool
}

// deleteAll fills outcomes. Requests for one backup share one call to DDS and its result, unless
// they have an order.
func (s *Service) deleteAll(ctx context.Context, scope Scope, stages stages, requests []Request, outcomes []Outcome) {
	// All groups share two contexts, because each deadline costs a timer.
	deleting, cancel := withDeadline(ctx, stages.delete)
	defer cancel()
	recording, cancel := withDeadline(ctx, stages.record)
	defer cancel()
	process := func(group []*Outcome) { s.process(deleting, recording, stages.end, group) }

	groups := make(map[call][]*Outcome, len(requests))
	orders := make(map[string][]*Outcome)
	var calls []call // the keys of groups, as they came
	for i, request := range requests {
		o := &outcomes[i]
		request.DryRun = request.DryRun || s.DryRun
		err := scope.admit(&request)
		o.Request = request
		if err != nil {
			*o = failed(request, err)
			o.writeUnrecordedEvent(&requests[i])
		}
		c := call{request.Target(), request.DryRun}
		switch {
		case request.Order != "":
			orders[request.Order] = append(orders[request.Order], o)
		case err == nil:
			if groups[c] == nil {
				calls = append(calls, c)
			}
			groups[c] = append(groups[c], o)
		}
	}

	var workers errgroup.Group
	workers.SetLimit(s.Concurrency)
	for _, order := range orders {
		workers.Go(func() error {
			inOrder(order, process)
			return nil
		})
	}
	for _, c := range calls {
		workers.Go(func() error {
			for part := range slices.Chunk(groups[c], maxGroup) {
				process(part)
			}
			return nil
		})
	}
	_ = workers.Wait() // no worker returns an error
}

// inOrder processes the requests of one order one after the other. It stops after the first message
// that must be retried, because the source redelivers that message and all after it. Requests in
// the same message do not stop each other.
func inOrder(order []*Outcome, process func(group []*Outcome)) {
	var stopped *Outcome
	for _, o := range order {
		if stopped != nil && o.Request.MessageID != stopped.Request.MessageID {
			*o = failed(o.Request, &Error{
				Class: stopped.Err.Class, RetryAfter: stopped.Err.RetryAfter,
				Message: "an earlier message of the same order must be retried first: " + stopped.Request.MessageID,
			})
			continue
		}
		if o.Status == "" {
			process([]*Outcome{o})
		}
		if stopped == nil && o.Status == Retry {
			stopped = o
		}
	}
}

// stages are the times at which each stage must end so that there is time for the next
// stage; zero if there is no deadline.
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
