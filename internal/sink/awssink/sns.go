package awssink

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/deletion"
)

// NewSNS returns a sink for a topic, standard or FIFO. The client should not retry, because the sink does.
//
// A message has no trace header. The call has one, which the SDK sets in Lambda.
//
//   - https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
//   - https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sns.html
func NewSNS(client *sns.Client, topic arn.ARN) deletion.Sink {
	return newMessageSink(topic, "PublishBatch", func(ctx context.Context, messages []message, a *answer) error {
		entries := make([]types.PublishBatchRequestEntry, len(messages))
		for i, m := range messages {
			attributes := make(map[string]types.MessageAttributeValue, len(m.attributes))
			for name, value := range m.attributes {
				attributes[name] = types.MessageAttributeValue{DataType: aws.String(attributeType), StringValue: aws.String(value)}
			}
			entries[i] = types.PublishBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), Message: aws.String(m.body), MessageAttributes: attributes,
				MessageGroupId: optional(m.group), MessageDeduplicationId: optional(m.id),
			}
		}
		out, err := client.PublishBatch(ctx, &sns.PublishBatchInput{TopicArn: aws.String(topic.String()), PublishBatchRequestEntries: entries})
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
	})
}
