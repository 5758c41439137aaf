package event

import (
	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// SourceSNS is a message of an Amazon SNS topic that invokes the function itself.
const SourceSNS deletion.Source = "sns"

// https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
var sns = source{
	name: SourceSNS,
	fits: func(members strictjson.Object) bool {
		record, _ := members.FirstObject("Records")
		service, _ := record.Text("EventSource")
		return service == services.SNS
	},
	parkable: always,
	decode: func(d *Decoder, p payload, in Invocation) (*Batch, error) {
		batch := &Batch{reply: replyResult}
		list, _ := p.members.Get("Records")
		err := batch.eachRecord(list, services.SNS, func(i int, record strictjson.Object) error {
			notification := record.Object("Sns")
			id, _ := notification.Text("MessageId")
			if topic, _ := notification.Text("TopicArn"); i == 0 {
				batch.SourceARN = body.CleanID(topic)
			}
			batch.add(message{id: body.CleanID(id)}, d.reader().ReadNotification(notification, deletion.Request{ID: in.ID}))
			return nil
		})
		return batch, err
	},
}
