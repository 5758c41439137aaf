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

// NewSQS returns a sink for a queue, standard or FIFO. The client should not retry, because the sink does.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
func NewSQS(client *sqs.Client, queue arn.ARN) (deletion.Sink, error) {
	url, err := QueueURL(client.Options(), queue)
	if err != nil {
		return nil, err
	}
	return newMessageSink(queue, "SendMessageBatch", func(ctx context.Context, messages []message, a *answer) error {
		entries := make([]types.SendMessageBatchRequestEntry, len(messages))
		for i, m := range messages {
			attributes := make(map[string]types.MessageAttributeValue, len(m.attributes))
			for name, value := range m.attributes {
				attributes[name] = types.MessageAttributeValue{DataType: aws.String(attributeType), StringValue: aws.String(value)}
			}
			entries[i] = types.SendMessageBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(m.body), MessageAttributes: attributes,
				MessageGroupId: optional(m.group), MessageDeduplicationId: optional(m.id),
			}
			if m.trace != "" {
				entries[i].MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
					string(types.MessageSystemAttributeNameForSendsAWSTraceHeader): {DataType: aws.String(attributeType), StringValue: aws.String(m.trace)},
				}
			}
		}
		out, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: aws.String(url), Entries: entries})
		if err != nil {
			return err
		}
		for _, e := range out.Successful {
			a.taken(e.Id, e.MessageId)
		}
		for _, e := range out.Failed {
			a.failed(e.Id, e.Code, e.Message, e.SenderFault)
		}
		return nil
	}), nil
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
