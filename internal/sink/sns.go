package sink

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"dds-backup-delete/internal/deletion"
)

// SNS publishes to an Amazon SNS topic, standard or FIFO.
type SNS struct {
	client  *sns.Client
	topic   string
	batches batches[message]
}

// NewSNS returns a sink for the topic of that ARN. The client had better not retry: the sink does.
//
// The trace header is not the message's but the call's, and the SDK sets it by itself in Lambda.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sns.html
func NewSNS(client *sns.Client, topicARN string) *SNS {
	s := &SNS{client: client, topic: topicARN}
	s.batches = messageBatches(topicARN, s.send)
	return s
}

// Publish implements [deletion.Sink].
func (s *SNS) Publish(ctx context.Context, events []deletion.Event) []error {
	return s.batches.publish(ctx, events)
}

// send makes one call. A success of the call may hide failed entries.
// https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
func (s *SNS) send(ctx context.Context, messages []message) []error {
	entries := make([]types.PublishBatchRequestEntry, len(messages))
	for i, m := range messages {
		entries[i] = types.PublishBatchRequestEntry{
			Id:                     aws.String(entryID(i)),
			Message:                aws.String(m.body),
			MessageAttributes:      make(map[string]types.MessageAttributeValue, len(m.attributes)),
			MessageGroupId:         optional(m.group),
			MessageDeduplicationId: optional(m.id),
		}
		for name, value := range m.attributes {
			entries[i].MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String(attributeType), StringValue: aws.String(value)}
		}
	}
	out, err := s.client.PublishBatch(ctx, &sns.PublishBatchInput{TopicArn: aws.String(s.topic), PublishBatchRequestEntries: entries})
	if err != nil {
		return callFailed(len(messages), err)
	}
	answer := newAnswer("PublishBatch", len(messages))
	for _, taken := range out.Successful {
		answer.taken(taken.Id, taken.MessageId)
	}
	for _, failed := range out.Failed {
		answer.failed(failed.Id, failed.Code, failed.Message, failed.SenderFault)
	}
	return answer.results()
}

// optional is nil for an empty text.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
