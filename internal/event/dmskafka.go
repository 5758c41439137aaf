package event

import (
	"errors"
	"fmt"
	"time"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// SourceDMSKafka is a batch of a Kafka topic that triggers Huawei FunctionGraph: of DMS for Kafka, or of one's own.
const SourceDMSKafka deletion.Source = "dms-kafka"

// dmsKafka has neither offsets nor a partial reply, and invokes the function asynchronously.
// https://support.huaweicloud.com/devg-functiongraph/functiongraph_02_0102.html
var dmsKafka = source{
	name:    SourceDMSKafka,
	members: []string{"event_version", "event_time", "trigger_type", "region", "instance_id", "records", "messages", "topic_id"},
	fits: func(members strictjson.Object) bool {
		trigger, _ := members.Text("trigger_type")
		return services.IsHuaweiKafka(trigger)
	},
	parkable: always,
	decode: func(d *Decoder, p payload, _ Invocation) (*Batch, error) {
		batch := &Batch{wholeOnly: true, reply: replyResult}
		instance, _ := p.members.Text("instance_id")
		sent := body.UnixTime(p.members, "event_time")
		list, ok := p.members.Get("records")
		switch {
		case ok && p.members.Has("messages"):
			return nil, errors.New("records and messages: both given; expected one of them")
		case !ok: // the older form: the one record is the event
			return batch, d.addDMSKafka(batch, p.members, instance, sent)
		}
		records, err := list.Array()
		if err != nil {
			return nil, fmt.Errorf("records: %w", err)
		}
		for i, element := range records {
			record, err := element.Object()
			if err == nil {
				err = d.addDMSKafka(batch, record, instance, sent)
			}
			if err != nil {
				return nil, fmt.Errorf("record %d: %w", i, err)
			}
		}
		return batch, nil
	},
}

// addDMSKafka adds the messages of a record. A message has no id, so it is known by its topic and its text.
func (d *Decoder) addDMSKafka(batch *Batch, record strictjson.Object, instance string, sent time.Time) error {
	list, ok := record.Get("messages")
	if !ok {
		return errors.New("messages: missing; expected an array")
	}
	messages, err := list.Array()
	if err != nil {
		return fmt.Errorf("messages: %w", err)
	}
	topic, _ := record.Text("topic_id")
	topic = body.CleanID(instance + "/" + topic)
	if batch.SourceARN == "" {
		batch.SourceARN = topic
	}
	for _, element := range messages {
		if len(batch.messages) == strictjson.MaxElements {
			return fmt.Errorf("more than %d messages", strictjson.MaxElements)
		}
		if element.Kind() == "null" {
			batch.Tombstones++
			batch.add(message{}, body.Content{})
			continue
		}
		if wrapped, _ := element.Object(); len(wrapped) == 1 && string(wrapped[0].Name) == "message" {
			element = wrapped[0].Value
		}
		base := deletion.Request{Origin: topic, SentAt: sent}
		text, isText := element.Bytes()
		if !isText {
			text = element
		}
		base.ID = body.Digest(topic + "\x00" + string(text))
		batch.add(message{id: base.ID}, d.reader().Read(text, base))
	}
	return nil
}
