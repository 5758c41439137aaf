package sink

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// SQS publishes to an Amazon SQS queue, standard or FIFO.
type SQS struct {
	batcher[message]

	client *sqs.Client
	queue  string // its URL
}

// NewSQS returns a sink for the queue with that ARN. The client should not retry,
// because the sink does. The error says what is wrong with the ARN.
func NewSQS(client *sqs.Client, queueARN string) (*SQS, error) {
	queue, err := QueueURL(client.Options(), queueARN)
	if err != nil {
		return nil, err
	}
	s := &SQS{client: client, queue: queue}
	s.batcher = newMessageBatcher(queueARN, s.send)
	return s, nil
}

// QueueURL returns the URL of the queue with that ARN, at the endpoint of a client with those
// options. The SDK knows the domain of each partition. The error says what is wrong with the ARN.
func QueueURL(o sqs.Options, queueARN string) (string, error) {
	parts := strings.Split(queueARN, ":")
	if len(parts) != 6 {
		return "", fmt.Errorf("%q is not the ARN of a queue; expected for example arn:aws:sqs:eu-central-1:123456789012:outcomes", queueARN)
	}
	at, err := sqs.NewDefaultEndpointResolverV2().ResolveEndpoint(context.Background(), sqs.EndpointParameters{
		Region: aws.String(o.Region), Endpoint: o.BaseEndpoint,
	})
	if err != nil {
		return "", fmt.Errorf("the address of the queue: %w", err)
	}
	return at.URI.JoinPath(parts[4], parts[5]).String(), nil
}

// send makes one call. A call that succeeds may contain entries that failed.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
func (s *SQS) send(ctx context.Context, messages []message) []error {
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
	out, err := s.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: aws.String(s.queue), Entries: entries})
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
