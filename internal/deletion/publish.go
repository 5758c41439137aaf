package deletion

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// publishAll publishes the events of all outcomes that are verdicts, each event once. An outcome
// whose event was not taken becomes a [Retry], and the JSON of the event is returned.
func (s *Service) publishAll(ctx context.Context, outcomes []Outcome) (unpublished map[*Outcome]string) {
	var events []Event
	first := make(map[string]*Outcome, len(outcomes)) // outcome with an event, by the id of the event
	for i := range outcomes {
		o := &outcomes[i]
		switch {
		case o.Status == Retry, o.Status == notDue:
		case first[o.Event.ID] == nil:
			first[o.Event.ID] = o
			events = append(events, o.Event)
		default:
			o.Event = first[o.Event.ID].Event
		}
	}
	if len(events) == 0 {
		return nil
	}
	failures := make(map[string]error) // by the id of the event
	for i, err := range s.publish(ctx, events) {
		if err != nil {
			failures[events[i].ID] = err
		}
	}
	for i := range outcomes {
		o := &outcomes[i]
		if err := failures[o.Event.ID]; err != nil {
			if unpublished == nil {
				unpublished = make(map[*Outcome]string)
			}
			unpublished[o] = string(o.Event.JSON)
			o.undelivered(err)
		}
	}
	return unpublished
}

// publish calls the sink and returns an error for each event. A panic, or a wrong number of
// results, fails every event.
func (s *Service) publish(ctx context.Context, events []Event) (errs []error) {
	var failure error
	switch {
	case protect(ctx, s.Log, nil, func() { errs = s.Sink.Publish(ctx, events) }):
		failure = errors.New("the sink panicked")
	case len(errs) == len(events):
		return errs
	default:
		failure = fmt.Errorf("the sink answered for %d of %d events", len(errs), len(events))
	}
	return slices.Repeat([]error{failure}, len(events))
}
