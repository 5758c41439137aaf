package awsapp

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"dds-backup-delete/internal/awsclient"
	"dds-backup-delete/internal/event"
)

// tickSource is the source of the event that asks for a tick.
const tickSource = "dds-backup-delete"

// askForTick sends the event that makes the rule on TICK_BUS invoke this function again. The client is built when it
// is first needed, which is never for most processes.
func (c *clients) askForTick(ctx context.Context, until time.Time) error {
	at := c.config(c.c.TickBus.Region, c.c.AWS.EventBridge, sinkTry, awsclient.RetrySoon)
	detail, err := json.Marshal(map[string]string{"function": c.c.Function, "until": until.UTC().Format(time.RFC3339)})
	if err != nil {
		return err
	}
	out, err := eventbridge.NewFromConfig(at).PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		EventBusName: aws.String(c.c.TickBus.String()), Source: aws.String(tickSource),
		DetailType: aws.String(event.TickType), Detail: aws.String(string(detail)),
	}}})
	if err == nil && out.FailedEntryCount > 0 {
		err = errors.New("PutEvents: " + aws.ToString(out.Entries[0].ErrorCode))
	}
	return err
}
