package sink

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"dds-backup-delete/internal/deletion"
)

// EventSource is the usual source of our entries on a bus. (The CloudEvents source, which names
// region and project, is in the detail.)
const EventSource = "dds-backup-delete"

// maxEntries and maxBytes bound what one call to EventBridge, SNS or SQS takes. The smallest limit
// of the three holds for all: that of SNS. The others took no more either until 2026.
//
//   - https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
//   - https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
//   - https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
const (
	maxEntries = 10
	maxBytes   = 262_144
)

// EventBridge publishes to an Amazon EventBridge bus.
type EventBridge struct {
	client      *eventbridge.Client
	bus, source string
	batches     batches[types.PutEventsRequestEntry]
}

// NewEventBridge returns a sink for the bus of that ARN. Its entries have that source. The client
// had better not retry: the sink does.
func NewEventBridge(client *eventbridge.Client, busARN, source string) *EventBridge {
	s := &EventBridge{client: client, bus: busARN, source: source}
	s.batches = batches[types.PutEventsRequestEntry]{most: maxEntries, bytes: maxBytes, entry: s.entry, size: entrySize, send: s.put}
	return s
}

// Publish implements [deletion.Sink].
func (s *EventBridge) Publish(ctx context.Context, events []deletion.Event) []error {
	return s.batches.publish(ctx, events)
}

// entry is an event as an entry.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
func (s *EventBridge) entry(e *deletion.Event) types.PutEventsRequestEntry {
	entry := types.PutEventsRequestEntry{
		EventBusName: aws.String(s.bus),
		Source:       aws.String(s.source),
		DetailType:   aws.String(e.Type),
		Detail:       aws.String(string(e.JSON)),
	}
	if e.Subject != "" {
		entry.Resources = []string{e.Source + ":" + e.Subject}
	}
	if e.TraceHeader != "" {
		entry.TraceHeader = aws.String(e.TraceHeader)
	}
	return entry
}

// entrySize is the size of an entry that has no time.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
func entrySize(e *types.PutEventsRequestEntry) int {
	size := len(*e.Source) + len(*e.DetailType) + len(*e.Detail)
	for _, resource := range e.Resources {
		size += len(resource)
	}
	return size
}

// put makes one call. A success of the call may hide failed entries.
func (s *EventBridge) put(ctx context.Context, entries []types.PutEventsRequestEntry) []error {
	out, err := s.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
	if err != nil {
		return callFailed(len(entries), err)
	}
	if len(out.Entries) != len(entries) {
		return fail(len(entries), fmt.Errorf("PutEvents answered for %d of %d entries", len(out.Entries), len(entries)))
	}
	errs := make([]error, len(entries))
	for i, result := range out.Entries {
		switch code := aws.ToString(result.ErrorCode); {
		case code != "":
			errs[i] = entryError("PutEvents", code, aws.ToString(result.ErrorMessage), lasting[code])
		case aws.ToString(result.EventId) == "":
			errs[i] = errors.New("PutEvents: an entry came back with neither an event id nor an error")
		}
	}
	return errs
}

// lasting are the error codes of entries that EventBridge calls not retryable.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
var lasting = map[string]bool{
	"AccessDeniedException":               true,
	"InvalidAccountIdException":           true,
	"InvalidArgument":                     true,
	"MalformedDetail":                     true,
	"NotAuthorizedForDetailTypeException": true,
	"NotAuthorizedForSourceException":     true,
	"RedactionFailure":                    true,
}
