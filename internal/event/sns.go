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
		record, _ := firstOf(members, "Records")
		service, _ := record.text("EventSource")
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
			if service, _ := recordService(record); service != snsEventSource {
				return nil, fmt.Errorf("record %d is of %q; expected %q, as the first", i, shorten(service), snsEventSource)
			}
			notification := record.object("Sns")
			id, _ := notification.text("MessageId")
			if topic, _ := notification.text("TopicArn"); i == 0 {
				batch.SourceARN = cleanID(topic)
			}
			batch.add(message{id: cleanID(id)}, d.openNotification(notification, deletion.Request{ID: in.ID}, maxEnvelopes))
		}
		return batch, nil
	},
}
