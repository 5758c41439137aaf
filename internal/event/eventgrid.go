package event

import (
	"errors"
	"fmt"
	"slices"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// SourceEventGrid is a batch of events of Huawei Cloud EventGrid. One event that is the payload itself is of
// [SourceCloudEvents].
const SourceEventGrid deletion.Source = "eventgrid"

// https://support.huaweicloud.com/intl/en-us/api-eg/PutEvents.html
var eventGrid = source{
	name: SourceEventGrid, members: []string{"events", "trigger_type"},
	fits: func(members strictjson.Object) bool {
		first, _ := members.FirstObject("events")
		trigger, _ := members.Text("trigger_type")
		return first.Has("specversion") || trigger == services.EventGrid
	},
	parkable: always,
	decode: func(d *Decoder, p payload, _ Invocation) (*Batch, error) {
		list, ok := p.members.Get("events")
		if !ok {
			return nil, errors.New("events: missing; expected an array of CloudEvents")
		}
		return d.decodeEventGrid(list)
	},
}

// isEventList reports whether a value is an array of CloudEvents.
func isEventList(value strictjson.Value) bool {
	elements, err := value.Array()
	return err == nil && len(elements) > 0 && !slices.ContainsFunc(elements, func(element strictjson.Value) bool {
		members, _ := element.Object() // another value has no members
		return !members.Has("specversion")
	})
}

// eventGridList is the events alone, in an array.
var eventGridList = source{
	name:     SourceEventGrid,
	parkable: always,
	decode:   func(d *Decoder, p payload, _ Invocation) (*Batch, error) { return d.decodeEventGrid(p.value) },
}

// decodeEventGrid reads the requests of each event. An event that is none, and so has no id of its own, is known by
// its text.
func (d *Decoder) decodeEventGrid(list strictjson.Value) (*Batch, error) {
	batch := &Batch{wholeOnly: true, reply: replyResult}
	events, err := list.Array()
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	for i, element := range events {
		members, _ := element.Object() // another value has no members
		base := deletion.Request{ID: body.Digest(string(element))}
		c := d.reader().ReadValue(element, members, base)
		if !members.Has("specversion") && len(c.Requests) > 0 {
			c = body.Invalid(base, fmt.Sprintf("events[%d]: %s; expected a CloudEvent", i, body.Describe(element)))
		}
		id, _ := members.Text("id")
		batch.add(message{id: body.CleanID(id)}, c)
	}
	return batch, nil
}
