package deletion

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// publishAll publishes the events of all outcomes that are verdicts, each event once. An outcome
// whose event was not taken becomes a [Retry].
func (s *Service) publishAll(ctx context.Context, outcomes []Outcome) {
	var events []Event
	sharing := make(map[string][]*Outcome, len(outcomes)) // the outcomes with one event, by its id
	for i := range outcomes {
		o := &outcomes[i]
		if o.Status == Retry {
			continue
		}
		same := sharing[o.Event.ID]
		if same == nil {
			events = append(events, o.Event)
		} else {
			o.Event = same[0].Event
		}
		sharing[o.Event.ID] = append(same, o)
	}
	if len(events) == 0 {
		return
	}
	for i, err := range s.publish(ctx, events) {
		if err == nil {
			continue
		}
		for _, o := range sharing[events[i].ID] {
			o.undelivered(err)
		}
	}
}

// publish calls the sink and returns an error for each event. A panic, or a wrong number of
// results, fails every event.
func (s *Service) publish(ctx context.Context, events []Event) (errs []error) {
	failure := errors.New("the sink panicked")
	if !s.protect(ctx, nil, func() { errs = s.Sink.Publish(ctx, events) }) {
		if len(errs) == len(events) {
			return errs
		}
		failure = fmt.Errorf("the sink answered for %d of %d events", len(errs), len(events))
	}
	return slices.Repeat([]error{failure}, len(events))
}
