package deletion

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
)

// maxGroup is how many requests for one backup are worked together, with one write to the ledger.
const maxGroup = 50

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
	work := func(group []*Outcome) { s.work(deleting, recording, stages.end, group) }

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
		switch c := (call{request.Target(), request.DryRun}); {
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
			inOrder(order, work)
			return nil
		})
	}
	for _, c := range calls {
		workers.Go(func() error {
			for part := range slices.Chunk(groups[c], maxGroup) {
				work(part)
			}
			return nil
		})
	}
	_ = workers.Wait() // no worker returns an error
}

// inOrder works the requests of one order one after the other. It stops after the first message
// that must be retried, because the source redelivers that message and all after it. Requests in
// the same message do not stop each other.
func inOrder(order []*Outcome, work func(group []*Outcome)) {
	var stopped *Outcome
	for _, o := range order {
		if stopped != nil && o.Request.MessageID != stopped.Request.MessageID {
			*o = failed(o.Request, &Error{
				Class: stopped.Err.Class, RetryAfter: stopped.Err.RetryAfter,
				Message: "it comes after a request of the same order that needs another try: " + stopped.Request.MessageID,
			})
			continue
		}
		if o.Status == "" {
			work([]*Outcome{o})
		}
		if stopped == nil && o.Status == Retry {
			stopped = o
		}
	}
}
