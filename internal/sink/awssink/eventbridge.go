// Package awssink publishes outcome events to Amazon EventBridge, SNS and SQS.
package awssink

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/sink"
)

// NewEventBridge returns a sink for a bus. Its entries have that source. The client should not
// retry, because the sink does.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
func NewEventBridge(client *eventbridge.Client, bus arn.ARN, source string) deletion.Sink {
	return &sink.Batcher[types.PutEventsRequestEntry]{
		MaxEntries: MaxEntries, MaxBytes: maxBytes, Size: entrySize,
		Entry: func(e *deletion.Event) types.PutEventsRequestEntry {
			entry := types.PutEventsRequestEntry{
				EventBusName: aws.String(bus.String()), Source: aws.String(source),
				DetailType: aws.String(e.Type), Detail: aws.String(string(e.JSON)), TraceHeader: optional(e.TraceHeader),
			}
			if e.Subject != "" {
				entry.Resources = []string{e.Source + ":" + e.Subject}
			}
			return entry
		},
		Send: func(ctx context.Context, entries []types.PutEventsRequestEntry) []error {
			out, err := client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
			if err != nil {
				return callFailed(len(entries), err)
			}
			return entryErrors(len(entries), out.Entries)
		},
	}
}

// entrySize returns the size of an entry that has no time.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
func entrySize(e *types.PutEventsRequestEntry) int {
	size := len(*e.Source) + len(*e.DetailType) + len(*e.Detail)
	for _, resource := range e.Resources {
		size += len(resource)
	}
	return size
}

// entryErrors returns the errors of the entries of a call that succeeded.
func entryErrors(sent int, results []types.PutEventsResultEntry) []error {
	if len(results) != sent {
		return sink.AllFailed(sent, fmt.Errorf("PutEvents answered for %d of %d entries", len(results), sent))
	}
	errs := make([]error, sent)
	for i, result := range results {
		code := aws.ToString(result.ErrorCode)
		switch {
		case code != "":
			errs[i] = entryError("PutEvents", code, aws.ToString(result.ErrorMessage), slices.Contains(notRetryable, code))
		case aws.ToString(result.EventId) == "":
			errs[i] = errors.New("PutEvents: an entry came back with neither an event id nor an error")
		}
	}
	return errs
}

// notRetryable are the error codes of entries that EventBridge documents as not retryable.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
var notRetryable = []string{
	"AccessDeniedException", "InvalidAccountIdException", "InvalidArgument", "MalformedDetail",
	"NotAuthorizedForDetailTypeException", "NotAuthorizedForSourceException", "RedactionFailure",
}
