package deletion

import (
	"context"
	"errors"
	"fmt"
)

// publishAll publishes the events of all outcomes that are verdicts, each event once. An outcome
// whose event was not taken becomes a [Retry].
func (s *Service) publishAll(ctx context.Context, outcomes []Outcome) {
	var events []Event
	index := make(map[string]int, len(outcomes)) // of an event id in events
	for i := range outcomes {
		o := &outcomes[i]
		if o.Status == Retry {
			continue
		}
		n, seen := index[o.Event.ID]
		if !seen {
			n = len(events)
			index[o.Event.ID] = n
			events = append(events, o.Event)
		}
		o.Event = events[n]
	}
	if len(events) == 0 {
		return
	}
	errs := s.publish(ctx, events)
	for i := range outcomes {
		o := &outcomes[i]
		if o.Status == Retry {
			continue
		}
		if err := errs[index[o.Event.ID]]; err != nil {
			o.undelivered(err)
			o.Unpublished = true
		}
	}
}

// publish calls the sink and returns an error for each event. A panic, or a wrong number of
// results, fails every event.
func (s *Service) publish(ctx context.Context, events []Event) (errs []error) {
	var failure error
	if s.protect(ctx, nil, func() { errs = s.Sink.Publish(ctx, events) }) {
		failure = errors.New("the sink panicked")
	} else if len(errs) != len(events) {
		failure = fmt.Errorf("the sink answered for %d of %d events", len(errs), len(events))
	}
	if failure == nil {
		return errs
	}
	errs = make([]error, len(events))
	for i := range errs {
		errs[i] = failure
	}
	return errs
}
