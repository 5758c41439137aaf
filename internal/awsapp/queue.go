package awsapp

import (
	"context"
	"errors"
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
	"dds-backup-delete/internal/awsclient"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/sink/awssink"
)

// queue postpones messages that are returned to their queue. The client of each region is built when it
// is first needed, which is never for most processes.
type queue struct {
	*clients

	log *slog.Logger

	mu       sync.Mutex
	byRegion map[string]*sqs.Client
}

func newQueue(clients *clients, log *slog.Logger) *queue {
	return &queue{clients: clients, log: log, byRegion: make(map[string]*sqs.Client)}
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
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	failed := func(messages []event.Visibility, err error) {
		q.log.WarnContext(ctx, "messages are given back without a delay", "messages", len(messages), "error", err.Error())
	}
	client, url, err := q.find(queueARN)
	if err != nil {
		failed(messages, err)
		return
	}
	var calls errgroup.Group
	calls.SetLimit(maxCalls)
	for group := range slices.Chunk(messages, maxEntries) {
		calls.Go(func() error {
			if err := postponeSome(ctx, client, url, group); err != nil {
				failed(group, err)
			}
			return nil
		})
	}
	_ = calls.Wait() // no call returns an error
}

// find returns the client for a queue and the queue's URL.
func (q *queue) find(queueARN string) (client *sqs.Client, url string, err error) {
	queue, ok := arn.Parse(queueARN)
	if !ok || queue.Service != "sqs" {
		return nil, "", errors.New("eventSourceARN is not that of a queue")
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	client = q.byRegion[queue.Region]
	if client == nil {
		client = sqs.NewFromConfig(q.config(queue.Region, q.c.AWS.SQS, time.Second, awsclient.RetrySoon))
		q.byRegion[queue.Region] = client
	}
	url, err = awssink.QueueURL(client.Options(), queue)
	return client, url, err
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
	var failed []string
	for _, f := range out.Failed {
		failed = append(failed, aws.ToString(f.Code))
	}
	if len(failed) > 0 {
		return fmt.Errorf("ChangeMessageVisibilityBatch: %d of %d failed: %s", len(failed), len(messages), secret.Redact(strings.Join(failed, ", ")))
	}
	return nil
}
