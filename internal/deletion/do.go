package deletion

import (
	"context"
	"time"
)

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
