package event

import (
	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// SourceSMN is a message of a Huawei Cloud SMN topic that triggers the function.
const SourceSMN deletion.Source = "smn"

// https://support.huaweicloud.com/devg-functiongraph/functiongraph_02_0102.html
var smn = source{
	name: SourceSMN,
	fits: func(members strictjson.Object) bool {
		record, _ := members.FirstObject("record")
		service, _ := services.OfRecord(record)
		return service == services.SMN
	},
	parkable: always,
	decode: func(d *Decoder, p payload, in Invocation) (*Batch, error) {
		batch := &Batch{wholeOnly: true, reply: replyResult}
		list, _ := p.members.Get("record")
		err := batch.eachRecord(list, services.SMN, func(i int, record strictjson.Object) error {
			notification := record.Object("smn")
			id, _ := notification.Text("message_id")
			if topic, _ := notification.Text("topic_urn"); i == 0 {
				batch.SourceARN = body.CleanID(topic)
			}
			batch.add(message{id: body.CleanID(id)}, d.reader().ReadSMN(notification, deletion.Request{ID: in.ID}))
			return nil
		})
		return batch, err
	},
}
