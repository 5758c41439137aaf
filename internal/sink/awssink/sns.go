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

// snsTopic is one topic of Amazon SNS, standard or FIFO.
type snsTopic struct {
	client *sns.Client
	arn    string
}

// NewSNS returns a sink for a topic. The client should not retry, because the sink does.
//
// A message has no trace header. The call has one, which the SDK sets in Lambda.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sns.html
func NewSNS(client *sns.Client, topic arn.ARN) deletion.Sink {
	s := snsTopic{client: client, arn: topic.String()}
	return newMessageSink(topic, s.send)
}

// send makes one call. A call that succeeds may contain entries that failed.
// https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
func (s *snsTopic) send(ctx context.Context, messages []message) []error {
	entries := make([]types.PublishBatchRequestEntry, len(messages))
	for i, m := range messages {
		entries[i] = types.PublishBatchRequestEntry{
			Id:                     aws.String(strconv.Itoa(i)),
			Message:                aws.String(m.body),
			MessageAttributes:      make(map[string]types.MessageAttributeValue, len(m.attributes)),
			MessageGroupId:         optional(m.group),
			MessageDeduplicationId: optional(m.id),
		}
		for name, value := range m.attributes {
			entries[i].MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String(attributeType), StringValue: aws.String(value)}
		}
	}
	out, err := s.client.PublishBatch(ctx, &sns.PublishBatchInput{TopicArn: aws.String(s.arn), PublishBatchRequestEntries: entries})
	if err != nil {
		return callFailed(len(messages), err)
	}
	answer := newAnswer("PublishBatch")
	for _, taken := range out.Successful {
		answer.taken(taken.Id, taken.MessageId)
	}
	for _, failed := range out.Failed {
		answer.failed(failed.Id, failed.Code, failed.Message, failed.SenderFault)
	}
	return answer.results(len(messages))
}
