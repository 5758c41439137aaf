package event

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"dds-backup-delete/internal/deletion"
)

// The brokers of Amazon MQ. Both deliver a batch again as a whole.
// https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html
const (
	// SourceRabbitMQ is a batch of RabbitMQ queues.
	SourceRabbitMQ deletion.Source = "rabbitmq"
	// SourceActiveMQ is a batch of an ActiveMQ queue.
	SourceActiveMQ deletion.Source = "activemq"
)

var rabbitMQShape = shape{
	source: SourceRabbitMQ,
	fits:   func(members object) bool { return members.has("rmqMessagesByQueue") },
	decode: func(d *Decoder, _ []byte, members object, _ Invocation) (*Batch, error) {
		batch := newBrokerBatch(members)
		byQueue, _ := members.get("rmqMessagesByQueue")
		queues, err := objectOf(byQueue)
		if err != nil {
			return nil, fmt.Errorf("rmqMessagesByQueue: %w", err)
		}
		for _, queue := range queues {
			err := d.addAll(batch, queue.value, func(m object) (deletion.Request, object) { return rabbitMQ(m, batch.SourceARN+" "+string(queue.name)) })
			if err != nil {
				return nil, fmt.Errorf("messages of %q: %w", shorten(string(queue.name)), err)
			}
		}
		if len(batch.messages) == 0 {
			return batch, emptyBatch(members, "eventSource", "eventSourceArn", "rmqMessagesByQueue")
		}
		return batch, nil
	},
}

var activeMQShape = shape{
	source: SourceActiveMQ,
	fits: func(members object) bool {
		service, _ := members.text("eventSource")
		return isActiveMQ(service)
	},
	decode: func(d *Decoder, _ []byte, members object, _ Invocation) (*Batch, error) {
		batch := newBrokerBatch(members)
		list, ok := members.get("messages")
		if !ok {
			return nil, errors.New("messages: missing; expected an array")
		}
		if err := d.addAll(batch, list, activeMQ); err != nil {
			return nil, fmt.Errorf("messages: %w", err)
		}
		if len(batch.messages) == 0 {
			return batch, emptyBatch(members, "eventSource", "eventSourceArn", "messages")
		}
		return batch, nil
	},
}

// isActiveMQ reports whether a batch of that eventSource is ActiveMQ's. Newer and older pages of AWS differ.
func isActiveMQ(service string) bool { return service == "aws:mq" || service == "aws:amq" }

func newBrokerBatch(members object) *Batch {
	batch := &Batch{whole: true, reply: replyBroker}
	arn, _ := members.text("eventSourceArn")
	batch.SourceARN = cleanID(arn)
	return batch
}

// addAll adds the messages of a queue to a batch; open tells who a message's request is from,
// and its headers.
func (d *Decoder) addAll(batch *Batch, list []byte, open func(object) (deletion.Request, object)) error {
	messages, err := arrayOf(list)
	if err != nil {
		return err
	}
	for i, text := range messages {
		m, err := objectOf(text)
		if err != nil {
			return fmt.Errorf("message %d is %w", i, err)
		}
		base, properties := open(m)
		if !isID(base.ID) {
			base.ID = digestOf(base.Origin, m)
		}
		// The AMQP binding of CloudEvents, and its spelling for JMS, which allows no colon.
		var headers headers
		headers.add(properties, "cloudEvents:", "cloudEvents_")
		base.TraceParent = traceParent(headers.traceParent)
		base.Redelivered = m.boolean("redelivered")
		batch.add(message{id: base.ID}, d.readEncoded(m, "data", base, headers.attributes, trimMark))
	}
	return nil
}

// digestOf names a message without an id of its own, which is its publisher's affair, by where
// it stood, when it was sent if the publisher said so, and what it says.
func digestOf(queue string, m object) string {
	data, _ := m.text("data")
	sent, _ := m.object("basicProperties").text("timestamp")
	digest := sha256.Sum256([]byte(queue + "\x00" + sent + "\x00" + data))
	return hex.EncodeToString(digest[:16])
}

// rabbitMQ reads the properties of a message.
func rabbitMQ(m object, queue string) (deletion.Request, object) {
	properties := m.object("basicProperties")
	id, _ := properties.text("messageId")
	return deletion.Request{ID: id, Origin: cleanID(queue)}, properties.object("headers")
}

// activeMQ reads the properties of a message, whose id is the broker's.
func activeMQ(m object) (deletion.Request, object) {
	id, _ := m.text("messageID")
	return deletion.Request{ID: id}, m.object("properties")
}

// replyBroker answers a broker with an error where another delivery of the whole batch helps.
// What was done before is not done again. Nobody reads another reply.
func replyBroker(_ *Batch, outcomes []deletion.Outcome) ([]byte, error) {
	if err := failure(outcomes); err != nil {
		return nil, err
	}
	return []byte("{}"), nil
}
