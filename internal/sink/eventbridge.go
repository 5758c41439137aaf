package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"dds-backup-delete/internal/deletion"
)

// EventSource is the source of our entries on a bus. (The CloudEvents source, which names
// region and project, is in the detail.)
const EventSource = "dds-backup-delete"

// maxEntries is how many entries one PutEvents call takes.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
const maxEntries = 10

// EventBridge publishes to an Amazon EventBridge bus.
type EventBridge struct {
	client *eventbridge.Client
	bus    string
}

// NewEventBridge returns a sink for the bus of that ARN.
func NewEventBridge(client *eventbridge.Client, busARN string) *EventBridge {
	return &EventBridge{client: client, bus: busARN}
}

// Publish implements [deletion.Sink]: groups of ten go out at once, and each entry's own
// result is read, since a success of the call may hide failed entries.
func (s *EventBridge) Publish(ctx context.Context, events []deletion.Event) []error {
	errs := make([]error, len(events))
	var calls sync.WaitGroup
	at := 0
	for group := range slices.Chunk(events, maxEntries) {
		results := errs[at : at+len(group)]
		at += len(group)
		calls.Go(func() { s.put(ctx, group, results) })
	}
	calls.Wait()
	return errs
}

// put publishes one group and fills in the result of each of its events.
func (s *EventBridge) put(ctx context.Context, group []deletion.Event, results []error) {
	entries := make([]types.PutEventsRequestEntry, len(group))
	for i, e := range group {
		entries[i] = types.PutEventsRequestEntry{
			EventBusName: aws.String(s.bus),
			Source:       aws.String(EventSource),
			DetailType:   aws.String(e.Type),
			Detail:       aws.String(string(e.JSON)),
		}
	}
	out, err := s.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
	if err == nil && len(out.Entries) != len(entries) {
		err = fmt.Errorf("PutEvents answered for %d of %d entries", len(out.Entries), len(entries))
	}
	for i := range results {
		switch {
		case err != nil:
			results[i] = err
		case out.Entries[i].EventId == nil || out.Entries[i].ErrorCode != nil:
			results[i] = errors.New("PutEvents: " + aws.ToString(out.Entries[i].ErrorCode) + ": " + aws.ToString(out.Entries[i].ErrorMessage))
		}
	}
}
