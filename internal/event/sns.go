package event

import (
	"fmt"

	"dds-backup-delete/internal/deletion"
)

// SourceSNS is a message of an Amazon SNS topic that invokes the function itself.
const SourceSNS deletion.Source = "sns"

const snsEventSource = "aws:sns"

// https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
var snsShape = shape{
	source: SourceSNS,
	fits: func(members object) bool {
		_, service := firstRecord(members, "EventSource")
		return service == snsEventSource
	},
	decode: func(d *Decoder, _ []byte, members object, in Invocation) (*Batch, error) {
		records, err := recordsOf(members)
		if err != nil {
			return nil, err
		}
		batch := &Batch{reply: replyResult}
		for i, text := range records {
			record, err := objectOf(text)
			if err != nil {
				return nil, fmt.Errorf("record %d is %w", i, err)
			}
			notification := record.object("Sns")
			id, _ := notification.text("MessageId")
			if topic, _ := notification.text("TopicArn"); i == 0 {
				batch.SourceARN = topic
			}
			batch.add(message{id: id}, d.openNotification(notification, deletion.Request{ID: in.ID}, maxEnvelopes))
		}
		return batch, nil
	},
}
