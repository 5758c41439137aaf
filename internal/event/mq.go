package event

import (
	"cmp"
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
		batch := &Batch{reply: replyResult}
		batch.SourceARN, _ = members.text("eventSourceArn")
		byQueue, _ := members.get("rmqMessagesByQueue")
		queues, err := objectOf(byQueue)
		if err != nil {
			return nil, fmt.Errorf("rmqMessagesByQueue: %w", err)
		}
		for _, queue := range queues {
			if err := d.addAll(batch, queue.value, func(m object) (deletion.Request, header) { return rabbitMQ(m, string(queue.name)) }); err != nil {
				return nil, fmt.Errorf("messages of %q: %w", shorten(string(queue.name)), err)
			}
		}
		return batch, nil
	},
}

var activeMQShape = shape{
	source: SourceActiveMQ,
	fits: func(members object) bool {
		service, _ := members.text("eventSource")
		return service == "aws:mq" || service == "aws:amq" // newer and older pages differ
	},
	decode: func(d *Decoder, _ []byte, members object, _ Invocation) (*Batch, error) {
		batch := &Batch{reply: replyResult}
		batch.SourceARN, _ = members.text("eventSourceArn")
		list, ok := members.get("messages")
		if !ok {
			return nil, errors.New("messages: missing, want an array")
		}
		if err := d.addAll(batch, list, activeMQ); err != nil {
			return nil, fmt.Errorf("messages: %w", err)
		}
		return batch, nil
	},
}

// header finds a header of a message.
type header func(name string) string

// addAll adds the messages of a queue to a batch; open tells what a message says of its requests.
func (d *Decoder) addAll(batch *Batch, list []byte, open func(object) (deletion.Request, header)) error {
	messages, err := arrayOf(list)
	if err != nil {
		return err
	}
	for i, text := range messages {
		m, err := objectOf(text)
		if err != nil {
			return fmt.Errorf("message %d is %w", i, err)
		}
		base, headers := open(m)
		if base.ID == "" || len(base.ID) > maxEventID {
			base.ID = digestOf(base.Origin, m)
		}
		base.TraceParent = traceParent(headers("traceparent"))
		base.Redelivered = m.boolean("redelivered")
		// The AMQP binding of CloudEvents, and its spelling for JMS, which allows no colon.
		c := d.readEncoded(m, "data", base, func(name string) string {
			return cmp.Or(headers("cloudEvents:"+name), headers("cloudEvents_"+name))
		})
		batch.add(message{id: base.ID}, c)
	}
	return nil
}

// digestOf names a message without an id of its own, which is its publisher's affair, by where
// it stood and what it says.
func digestOf(queue string, m object) string {
	data, _ := m.text("data")
	digest := sha256.Sum256([]byte(queue + "\x00" + data))
	return hex.EncodeToString(digest[:16])
}

// rabbitMQ reads the properties of a message.
func rabbitMQ(m object, queue string) (deletion.Request, header) {
	properties := m.object("basicProperties")
	id, _ := properties.text("messageId")
	headers := properties.object("headers")
	return deletion.Request{ID: id, Origin: queue}, func(name string) string {
		if text, ok := headers.text(name); ok {
			return text
		}
		value, _ := headers.object(name).get("bytes")
		return bytesOf(value)
	}
}

// activeMQ reads the properties of a message, whose id is the broker's.
func activeMQ(m object) (deletion.Request, header) {
	id, _ := m.text("messageID")
	properties := m.object("properties")
	return deletion.Request{ID: id}, func(name string) string {
		text, _ := properties.text(name)
		return text
	}
}
