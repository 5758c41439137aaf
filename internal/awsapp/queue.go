package awsapp

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/sink/awssink"
)

// queue postpones messages that are returned to their queue. The client of each region is built when it
// is first needed, which is never for most processes.
type queue struct {
	log       *slog.Logger
	newClient func(region string) *sqs.Client

	mu      sync.Mutex
	clients map[string]*sqs.Client
}

func newQueue(clients *clients, log *slog.Logger) *queue {
	return &queue{log: log, clients: make(map[string]*sqs.Client), newClient: func(region string) *sqs.Client {
		return sqs.NewFromConfig(clients.config(region, clients.c.AWS.SQS, time.Second, retrySoon))
	}}
}

// maxEntries is how many messages one call takes.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html
const maxEntries = 10

// maxCalls is how many calls run at once: a function has little CPU for handshakes.
const maxCalls = 8

// postpone sets the visibility timeout of messages that are about to be returned to their queue. If that
// fails, they are redelivered after the queue's own timeout. It takes no more than half of the time that
// is left, so that the reply is in time.
func (q *queue) postpone(ctx context.Context, queueARN string, messages []event.Visibility) {
	if len(messages) == 0 {
		return
	}
	queue, ok := arn.Parse(queueARN)
	if !ok || queue.Service != "sqs" {
		q.log.WarnContext(ctx, "messages are given back without a delay: eventSourceARN is not that of a queue", "messages", len(messages))
		return
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	client := q.client(queue.Region)
	url, err := awssink.QueueURL(client.Options(), queue)
	if err != nil {
		q.log.WarnContext(ctx, "messages are given back without a delay", "messages", len(messages), "error", err.Error())
		return
	}
	var calls errgroup.Group
	calls.SetLimit(maxCalls)
	for group := range slices.Chunk(messages, maxEntries) {
		calls.Go(func() error {
			err := ctx.Err() // no call is begun that has no time
			if err == nil {
				err = postponeSome(ctx, client, url, group)
			}
			if err != nil {
				q.log.WarnContext(ctx, "messages are given back without a delay", "messages", len(group), "error", err.Error())
			}
			return nil
		})
	}
	_ = calls.Wait() // no call returns an error
}

func (q *queue) client(region string) *sqs.Client {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.clients[region] == nil {
		q.clients[region] = q.newClient(region)
	}
	return q.clients[region]
}

// postponeSome changes the visibility of up to ten messages. The error names all that failed.
func postponeSome(ctx context.Context, client *sqs.Client, url string, messages []event.Visibility) error {
	entries := make([]types.ChangeMessageVisibilityBatchRequestEntry, len(messages))
	for i, m := range messages {
		entries[i] = types.ChangeMessageVisibilityBatchRequestEntry{
			Id:                aws.String(strconv.Itoa(i)),
			ReceiptHandle:     aws.String(m.ReceiptHandle),
			VisibilityTimeout: int32(m.Timeout / time.Second), //nolint:gosec // it is below twelve hours
		}
	}
	out, err := client.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: aws.String(url), Entries: entries})
	if err != nil {
		return secret.RedactError(err)
	}
	if len(out.Failed) == 0 {
		return nil
	}
	failed := make([]string, len(out.Failed))
	for i, f := range out.Failed {
		failed[i] = aws.ToString(f.Code)
	}
	return fmt.Errorf("ChangeMessageVisibilityBatch: %d of %d failed: %s", len(failed), len(messages), secret.Redact(strings.Join(failed, ", ")))
}
