package event

import (
	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
)

// SourceTimer is a TIMER trigger of Huawei FunctionGraph. It carries a request, or the tick.
const SourceTimer deletion.Source = "timer"

// https://support.huaweicloud.com/devg-functiongraph/functiongraph_02_0102.html
var timer = source{
	name:     SourceTimer,
	fits:     body.IsTimer,
	parkable: always,
	decode: func(d *Decoder, p payload, in Invocation) (*Batch, error) {
		batch := &Batch{reply: replyResult}
		batch.add(message{id: in.ID}, d.reader().ReadTimer(p.members, deletion.Request{ID: in.ID}))
		return batch, nil
	},
}
