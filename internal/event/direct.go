package event

import (
	"encoding/json"
	"errors"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
)

// SourceDirect is an invocation of the function itself: by hand, as a step of a workflow, by a
// schedule, or as the destination of another function.
const SourceDirect deletion.Source = "direct"

var direct = source{
	name: SourceDirect,
	fits: body.IsDirect,
	parkable: func(d *Decoder, p payload, in Invocation) bool {
		return d.DirectIsAsync || in.Async || body.IsDestinationRecord(p.members)
	},
	decode: func(d *Decoder, p payload, in Invocation) (*Batch, error) {
		c := d.reader().ReadValue(p.value, p.members, deletion.Request{ID: in.ID})
		if c.OwnEventReason != "" {
			return nil, errors.New(c.OwnEventReason)
		}
		batch := &Batch{reply: replyCaller}
		if c.List {
			batch.reply = replyList
		}
		batch.add(message{id: in.ID}, c)
		return batch, nil
	},
}

// replyCaller returns the result of the one request, also if the ledger has parked it, or the error that a
// workflow can match by its name.
func replyCaller(_ *Batch, outcomes []deletion.Outcome) ([]byte, error) {
	o := &outcomes[0]
	if o.Status == deletion.Accepted || o.Status == deletion.Unconfirmed || o.Status == deletion.Simulated || o.Parked {
		return json.Marshal(o.Result())
	}
	return nil, failed(o)
}

// replyList answers a list with one result for each request, never with an error, which would
// hide the job ids that were earned.
func replyList(_ *Batch, outcomes []deletion.Outcome) ([]byte, error) {
	return json.Marshal(deletion.ResultsOf(outcomes))
}
