package awssink

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/deletion"
)

// sqsQueue is one queue of Amazon SQS, standard or FIFO.
type sqsQueue struct {
	client *sqs.Client
	url    string
}

// NewSQS returns a sink for a queue. The client should not retry, because the sink does.
func NewSQS(client *sqs.Client, queue arn.ARN) (deletion.Sink, error) {
	url, err := QueueURL(client.Options(), queue)
	if err != nil {
		return nil, err
	}
	s := sqsQueue{client: client, url: url}
	return newMessageSink(queue, s.send), nil
}

// QueueURL returns the URL of a queue, at the endpoint of a client with those options. The SDK knows the
// domain of each partition.
func QueueURL(o sqs.Options, queue arn.ARN) (string, error) {
	at, err := sqs.NewDefaultEndpointResolverV2().ResolveEndpoint(context.Background(), sqs.EndpointParameters{
		Region: aws.String(o.Region), Endpoint: o.BaseEndpoint,
	})
	if err != nil {
		return "", fmt.Errorf("the address of the queue: %w", err)
	}
	return at.URI.JoinPath(queue.Account, queue.Resource).String(), nil
}

// send makes one call. A call that succeeds may contain entries that failed.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
func (s *sqsQueue) send(ctx context.Context, messages []message) []error {
	entries := make([]types.SendMessageBatchRequestEntry, len(messages))
	for i, m := range messages {
		entries[i] = types.SendMessageBatchRequestEntry{
			Id:                     aws.String(strconv.Itoa(i)),
			MessageBody:            aws.String(m.body),
			MessageAttributes:      make(map[string]types.MessageAttributeValue, len(m.attributes)),
			MessageGroupId:         optional(m.group),
			MessageDeduplicationId: optional(m.id),
		}
		for name, value := range m.attributes {
			entries[i].MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String(attributeType), StringValue: aws.String(value)}
		}
		if m.trace != "" {
			entries[i].MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
				string(types.MessageSystemAttributeNameForSendsAWSTraceHeader): {DataType: aws.String(attributeType), StringValue: aws.String(m.trace)},
			}
		}
	}
	out, err := s.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: aws.String(s.url), Entries: entries})
	if err != nil {
		return callFailed(len(messages), err)
	}
	answer := newAnswer("SendMessageBatch")
	for _, taken := range out.Successful {
		answer.taken(taken.Id, taken.MessageId)
	}
	for _, failed := range out.Failed {
		answer.failed(failed.Id, failed.Code, failed.Message, failed.SenderFault)
	}
	return answer.results(len(messages))
}
