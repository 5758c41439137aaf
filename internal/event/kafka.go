package event

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"dds-backup-delete/internal/deletion"
)

// SourceKafka is a batch of Apache Kafka topics, in Amazon MSK or self-managed.
const SourceKafka deletion.Source = "kafka"

// https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html and
// https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html
var kafkaShape = shape{
	source: SourceKafka,
	fits: func(members object) bool {
		service, _ := members.text("eventSource")
		return service == "aws:kafka" || service == "SelfManagedKafka"
	},
	decode: decodeKafka,
}

// decodeKafka reads the requests of each record. A record without a place in its partition
// could not be given back, so it fails the batch before any work is done.
func decodeKafka(d *Decoder, _ []byte, members object, _ Invocation) (*Batch, error) {
	batch := &Batch{reply: replyKafka}
	batch.SourceARN, _ = members.text("eventSourceArn")
	partitions, _ := members.get("records")
	if partitions == nil || kind(partitions) != "object" {
		return nil, errors.New("records: missing or no JSON object")
	}
	byPartition, err := objectOf(partitions)
	if err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	for _, partition := range byPartition {
		list, err := arrayOf(partition.value)
		if err != nil {
			return nil, fmt.Errorf("records of %q: %w", shorten(string(partition.name)), err)
		}
		for i, text := range list {
			if len(batch.messages) == maxElements {
				return nil, fmt.Errorf("more than %d records", maxElements)
			}
			record, err := objectOf(text)
			if err != nil {
				return nil, fmt.Errorf("record %d of %q is %w", i, shorten(string(partition.name)), err)
			}
			offset, ok := record.integer("offset")
			if !ok {
				return nil, fmt.Errorf("record %d of %q: offset: missing or no whole number", i, shorten(string(partition.name)))
			}
			m := message{id: string(partition.name) + "@" + strconv.FormatInt(offset, 10), order: string(partition.name), offset: offset}
			batch.add(m, d.readKafka(record, deletion.Request{ID: m.id, Origin: batch.SourceARN, Order: m.order}))
		}
	}
	return batch, nil
}

// readKafka reads the requests of one record.
func (d *Decoder) readKafka(record object, base deletion.Request) content {
	headers := kafkaHeaders(record)
	base.TraceParent = traceParent(headers("traceparent"))
	return d.readEncoded(record, "value", base, func(name string) string { return headers("ce_" + name) })
}

// readEncoded reads the requests of a message whose body is the base64 in that member. It may
// be a CloudEvent in binary mode, whose attributes are found by header.
func (d *Decoder) readEncoded(message object, member string, base deletion.Request, header func(name string) string) content {
	value, ok := message.text(member)
	if !ok {
		return refuse(base, member+": missing or no string")
	}
	body, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return refuse(base, fmt.Sprintf("%s: %d characters that are not base64", member, len(value)))
	}
	return d.readBinary(body, base, header)
}

// readBinary reads the requests of a body that is a CloudEvent in binary mode where the
// headers say so, and else speaks for itself.
func (d *Decoder) readBinary(body []byte, base deletion.Request, header func(name string) string) content {
	e := binary(header, body)
	if e.specVersion == "" {
		return d.read(body, base)
	}
	c := checked(d.openCloudEvent(e, base), body)
	c.echo = c.echo || isOutcomeType(e.eventType)
	return c
}

// kafkaHeaders returns what finds a header of a record. The values are bytes, and signed.
func kafkaHeaders(record object) func(name string) string {
	list, _ := record.get("headers")
	if list == nil {
		return func(string) string { return "" }
	}
	headers, err := arrayOf(list)
	return func(name string) string {
		for _, header := range headers {
			members, isObject := objectOf(header)
			if value, ok := members.get(name); err == nil && isObject == nil && ok {
				return bytesOf(value)
			}
		}
		return ""
	}
}

// bytesOf returns the text that an array of bytes, signed or not, stands for; empty for another value.
func bytesOf(value []byte) string {
	var numbers []int16
	if json.Unmarshal(value, &numbers) != nil {
		return ""
	}
	text := make([]byte, len(numbers))
	for i, n := range numbers {
		text[i] = byte(n) //nolint:gosec // the two's complement is meant
	}
	return string(text)
}

// replyKafka tells, for each partition, where to go on: at the first record that needs another try.
// https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
func replyKafka(b *Batch, outcomes []deletion.Outcome) ([]byte, error) {
	type identifier struct {
		Partition string `json:"partition"`
		Offset    int64  `json:"offset"`
	}
	type failure struct {
		ItemIdentifier identifier `json:"itemIdentifier"`
	}
	response := struct {
		BatchItemFailures []failure `json:"batchItemFailures"`
	}{[]failure{}}
	told := make(map[string]bool)
	for i, err := range b.failures(outcomes) {
		if m := b.messages[i]; err != nil && !told[m.order] {
			told[m.order] = true
			response.BatchItemFailures = append(response.BatchItemFailures, failure{identifier{m.order, m.offset}})
		}
	}
	return json.Marshal(response)
}
