package event

import (
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/strictjson"
)

// The sources whose payload is one event.
const (
	// SourceEventBridge is an event of an Amazon EventBridge bus.
	SourceEventBridge deletion.Source = "eventbridge"
	// SourceCloudEvents is a CloudEvent in structured mode that is the payload itself.
	SourceCloudEvents deletion.Source = "cloudevents"
)

// https://docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html and
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html; a schedule
// sends its input as it is, so that comes as a direct call.
var eventBridge = source{
	name:     SourceEventBridge,
	fits:     func(members strictjson.Object) bool { return members.Has("detail-type") },
	parkable: always,
	decode:   decodeEvent,
}

// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
var cloudEvents = source{
	name:     SourceCloudEvents,
	fits:     func(members strictjson.Object) bool { return members.Has("specversion") },
	parkable: always,
	decode:   decodeEvent,
}

// decodeEvent reads a payload that is one event.
func decodeEvent(d *Decoder, p payload, in Invocation) (*Batch, error) {
	batch := &Batch{reply: replyResult}
	batch.add(message{id: in.ID}, d.reader().ReadValue(p.value, p.members, deletion.Request{ID: in.ID}))
	return batch, nil
}
