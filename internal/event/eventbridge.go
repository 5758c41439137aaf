package event

import "dds-backup-delete/internal/deletion"

// SourceEventBridge is an event of an Amazon EventBridge bus.
const SourceEventBridge deletion.Source = "eventbridge"

// https://docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html and
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html; a schedule
// sends its input as it is, so that comes as a direct call.
var eventBridgeShape = shape{
	source: SourceEventBridge,
	fits:   func(members object) bool { return members.has("detail-type") },
	decode: decodeEvent,
}

// decodeEvent reads a payload that is one event.
func decodeEvent(d *Decoder, payload []byte, _ object, in Invocation) (*Batch, error) {
	batch := &Batch{reply: replyResult}
	batch.add(message{id: in.ID}, d.read(payload, deletion.Request{ID: in.ID}))
	return batch, nil
}
