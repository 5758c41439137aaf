package deletion

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// maxGroup is how many requests for one backup are processed together: with one call to DDS, and one write
// to the ledger that records their outcomes.
const maxGroup = 50

// Do processes the requests concurrently and returns an outcome for each, in their order. A request
// for which the deadline of ctx leaves no time ends as [Retry]. A panic of Backups, the Ledger or the
// Sink fails only the requests that it concerns. Do stops deleting early enough to record, recording
// early enough to publish, and publishing early enough to reply.
func (s *Service) Do(ctx context.Context, requests []Request) []Outcome {
	return s.do(ctx, requests, s.Concurrency)
}

// do is [Service.Do] with that many deletions at once. Requests of the agenda that are not due any more have
// no outcome.
func (s *Service) do(ctx context.Context, requests []Request, concurrency int) []Outcome {
	outcomes := make([]Outcome, len(requests))
	stages := stagesOf(ctx, time.Now())
	scope, err := s.scope(ctx)
	var groups []*group
	if err != nil {
		failAll(&scope, requests, outcomes, err)
	} else {
		groups = s.deleteAll(ctx, scope, stages, requests, outcomes, concurrency)
	}

	publishing, cancel := withDeadline(ctx, stages.publishBy)
	unpublished := s.publishAll(publishing, outcomes)
	cancel()
	s.settleAll(ctx, groups, unpublished)
	outcomes = slices.DeleteFunc(outcomes, func(o Outcome) bool { return o.Status == notDue })

	logAll := func() {
		for i := range outcomes {
			logOutcome(ctx, s.Log, &outcomes[i])
		}
	}
	if s.Together == nil {
		logAll()
	} else {
		s.Together(logAll)
	}
	return outcomes
}

// scope returns the scope with its project, which may have to be looked up.
func (s *Service) scope(ctx context.Context) (scope Scope, err error) {
	scope = s.Scope
	if scope.ProjectID == "" && s.FindProject != nil {
		scope.ProjectID, err = s.FindProject(ctx)
	}
	return scope, err
}

// settleAll settles the groups that the ledger keeps something for, all at once.
func (s *Service) settleAll(ctx context.Context, groups []*group, unpublished map[*Outcome]string) {
	var workers errgroup.Group
	workers.SetLimit(max(s.Concurrency, 1))
	for _, g := range groups {
		workers.Go(func() error {
			protect(ctx, s.Log, &g.outcomes[0].Request, func() { s.settle(ctx, g, unpublished) })
			return nil
		})
	}
	_ = workers.Wait() // no worker returns an error
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

// callKey is the same for requests that can share a call to DDS. A dry run shares nothing with a deletion.
type callKey struct {
	Target

	dryRun bool
}

// deleteAll fills outcomes. Up to maxGroup requests for one backup share one call to DDS and its
// result, unless they have an ordering key. It returns the groups that the ledger keeps something of.
func (s *Service) deleteAll(ctx context.Context, scope Scope, stages stages, requests []Request, outcomes []Outcome, concurrency int) []*group {
	// All groups share two contexts, because each deadline costs a timer.
	deleting, cancel := withDeadline(ctx, stages.deleteBy)
	defer cancel()
	recording, cancel := withDeadline(ctx, stages.recordBy)
	defer cancel()
	var mu sync.Mutex
	var groups []*group
	process := func(part []*Outcome) {
		g := &group{outcomes: part}
		s.process(deleting, recording, stages.deadline, g)
		if g.settles() { // the others need not be kept
			mu.Lock()
			defer mu.Unlock()
			groups = append(groups, g)
		}
	}

	byCall := make(map[callKey][]*Outcome, len(requests))
	byOrder := make(map[string][]*Outcome)
	var calls []callKey // the keys of byCall, as they came
	for i, request := range requests {
		o := &outcomes[i]
		request.DryRun = request.DryRun || s.DryRun
		err := scope.admit(&request)
		o.Request = request
		if err != nil {
			*o = failed(request, err)
			o.writeUnrecordedEvent(&requests[i])
		}
		key := callKey{request.Target(), request.DryRun}
		switch {
		case request.Order != "":
			byOrder[request.Order] = append(byOrder[request.Order], o)
		case err == nil:
			if byCall[key] == nil {
				calls = append(calls, key)
			}
			byCall[key] = append(byCall[key], o)
		default: // it has its outcome
		}
	}

	var workers errgroup.Group
	workers.SetLimit(concurrency)
	for _, outcomes := range byOrder {
		workers.Go(func() error {
			inOrder(outcomes, process, func(o *Outcome) {
				if o.Request.LastReceive && s.keeps(&o.Request) {
					s.giveUp(recording, &group{outcomes: []*Outcome{o}})
				}
			})
			return nil
		})
	}
	for _, key := range calls {
		workers.Go(func() error {
			for part := range slices.Chunk(byCall[key], maxGroup) {
				process(part)
			}
			return nil
		})
	}
	_ = workers.Wait() // no worker returns an error
	return groups
}

// inOrder processes the requests with one ordering key one after the other. It stops after the first message
// that must be retried, because the source redelivers that message and all after it. Requests in
// the same message do not stop each other. Each request that is held back is given to heldBack.
func inOrder(outcomes []*Outcome, process func(group []*Outcome), heldBack func(*Outcome)) {
	var stopped *Outcome
	for _, o := range outcomes {
		if stopped != nil && o.Request.MessageID != stopped.Request.MessageID {
			*o = failed(o.Request, &Error{
				Class: stopped.Err.Class, RetryAfter: stopped.Err.RetryAfter,
				Message: "an earlier message of the same order must be retried first: " + stopped.Request.MessageID,
			})
			heldBack(o)
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

// stages are the times at which each stage must end so that there is time for the next one, and the
// deadline; zero if there is no deadline.
type stages struct {
	deleteBy, recordBy, publishBy, deadline time.Time
}

// stagesOf divides the time until the deadline of ctx.
func stagesOf(ctx context.Context, now time.Time) stages {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return stages{}
	}
	left := max(deadline.Sub(now), 0)
	publishBy := deadline.Add(-min(left/10, 500*time.Millisecond))
	recordBy := publishBy.Add(-min(left/8, 2*time.Second))
	return stages{deleteBy: recordBy.Add(-min(left/8, 2*time.Second)), recordBy: recordBy, publishBy: publishBy, deadline: deadline}
}

// withDeadline returns ctx with a deadline, unless the deadline is zero.
func withDeadline(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline)
}
