package event

import (
	"errors"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
)

// SourceTick is a scheduler that asks for what is due on the agenda.
const SourceTick deletion.Source = "tick"

// TickType is the type of an event that is a tick. A queue, topic or stream may deliver it as well; the batch is
// then of that source.
const TickType = body.TickType

// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
var tick = source{
	name: SourceTick,
	fits: body.IsTick,
	decode: func(d *Decoder, p payload, in Invocation) (*Batch, error) {
		c := d.reader().ReadTick(p.members, deletion.Request{ID: in.ID})
		if len(c.Requests) > 0 { // it asks for something else as well
			return nil, errors.New(c.Requests[0].Err.Message)
		}
		batch := &Batch{reply: replyResult}
		batch.add(message{id: in.ID}, c)
		return batch, nil
	},
}
