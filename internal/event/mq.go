package event

import (
	"errors"
	"fmt"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// The brokers of Amazon MQ. Both deliver a batch again as a whole.
// https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html
const (
	// SourceRabbitMQ is a batch of RabbitMQ queues.
	SourceRabbitMQ deletion.Source = "rabbitmq"
	// SourceActiveMQ is a batch of an ActiveMQ queue.
	SourceActiveMQ deletion.Source = "activemq"
)

var rabbitMQ = source{
	name: SourceRabbitMQ, members: []string{"eventSource", "eventSourceArn", "rmqMessagesByQueue"},
	fits: func(members strictjson.Object) bool { return members.Has("rmqMessagesByQueue") },
	decode: func(d *Decoder, p payload, _ Invocation) (*Batch, error) {
		batch := newBrokerBatch(p.members)
		byQueue, _ := p.members.Get("rmqMessagesByQueue")
		queues, err := byQueue.Object()
		if err != nil {
			return nil, fmt.Errorf("rmqMessagesByQueue: %w", err)
		}
		for _, queue := range queues {
			if err := d.addAll(batch, queue.Value, batch.SourceARN+" "+string(queue.Name)); err != nil {
				return nil, fmt.Errorf("messages of %q: %w", strictjson.Shorten(string(queue.Name)), err)
			}
		}
		return batch, nil
	},
}

var activeMQ = source{
	name: SourceActiveMQ, members: []string{"eventSource", "eventSourceArn", "messages"},
	fits: func(members strictjson.Object) bool {
		service, _ := members.Text("eventSource")
		return services.IsActiveMQ(service)
	},
	decode: func(d *Decoder, p payload, _ Invocation) (*Batch, error) {
		batch := newBrokerBatch(p.members)
		list, ok := p.members.Get("messages")
		if !ok {
			return nil, errors.New("messages: missing; expected an array")
		}
		if err := d.addAll(batch, list, ""); err != nil {
			return nil, fmt.Errorf("messages: %w", err)
		}
		return batch, nil
	},
}

func newBrokerBatch(members strictjson.Object) *Batch {
	batch := &Batch{wholeOnly: true, reply: replyWhole("{}")}
	arn, _ := members.Text("eventSourceArn")
	batch.SourceARN = body.CleanID(arn)
	return batch
}

// addAll adds the messages of a queue to a batch. RabbitMQ has the properties of a message in an object,
// and leaves its id to the publisher; ActiveMQ gives each message an id, and has no names of queues. The time of a
// RabbitMQ message is written for people, without a zone, so it is not read.
func (d *Decoder) addAll(batch *Batch, list strictjson.Value, queue string) error {
	messages, err := list.Array()
	if err != nil {
		return err
	}
	for i, element := range messages {
		m, err := element.Object()
		if err != nil {
			return fmt.Errorf("message %d is %w", i, err)
		}
		redelivered, _ := m.Get("redelivered")
		base := deletion.Request{Origin: body.CleanID(queue), Redelivered: string(redelivered) == "true"}
		// The AMQP binding of CloudEvents, and its spelling for JMS, which allows no colon.
		var headers headers
		if queue == "" {
			base.ID, _ = m.Text("messageID")
			sent, _ := m.Integer("timestamp")
			base.SentAt = body.Millis(sent)
			headers.add(m.Object("properties"), "cloudEvents:", "cloudEvents_")
		} else {
			properties := m.Object("basicProperties")
			base.ID, _ = properties.Text("messageId")
			headers.add(properties.Object("headers"), "cloudEvents:", "cloudEvents_")
		}
		if !body.IsID(base.ID) {
			base.ID = digestOf(base.Origin, m)
		}
		base.TraceParent = body.TraceParent(headers.traceParent)
		batch.add(message{id: base.ID}, d.readEncoded(m, "data", base, headers.attributes, strictjson.TrimMark))
	}
	return nil
}

// digestOf returns an id for a message without one, since an id is up to the publisher: it depends on
// the queue, on when the message was sent if the publisher said so, and on what the message says.
func digestOf(queue string, m strictjson.Object) string {
	data, _ := m.Text("data")
	sent, _ := m.Object("basicProperties").Text("timestamp")
	return body.Digest(queue + "\x00" + sent + "\x00" + data)
}
