package event

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// SourceKafka is a batch of Apache Kafka topics, in Amazon MSK or self-managed.
const SourceKafka deletion.Source = "kafka"

// https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html and
// https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html
var kafka = source{
	name: SourceKafka, members: []string{"eventSource", "eventSourceArn", "bootstrapServers", "records"},
	fits: func(members strictjson.Object) bool {
		service, _ := members.Text("eventSource")
		return services.IsKafka(service)
	},
	decode: decodeKafka,
}

// decodeKafka reads the requests of each record of each partition.
func decodeKafka(d *Decoder, p payload, _ Invocation) (*Batch, error) {
	batch := &Batch{reply: replyKafka}
	cluster := batch.cluster(p.members)
	partitions, ok := p.members.Get("records")
	if !ok {
		return nil, errors.New("records: missing; expected a JSON object")
	}
	byPartition, err := partitions.Object()
	if err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	for _, partition := range byPartition {
		name := string(partition.Name)
		list, err := partition.Value.Array()
		if err != nil {
			return nil, fmt.Errorf("records of %q: %w", strictjson.Shorten(name), err)
		}
		for i, element := range list {
			record, err := element.Object()
			if err == nil {
				err = d.addKafka(batch, record, name, cluster)
			}
			if err != nil {
				return nil, fmt.Errorf("record %d of %q: %w", i, strictjson.Shorten(name), err)
			}
		}
	}
	return batch, nil
}

// kafkaPipe is the records of a topic as EventBridge Pipes sends them: an array. A pipe
// takes back single records of queues and of Kinesis and DynamoDB streams, but not of Kafka:
// there an error returns the whole batch.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-msk.html
var kafkaPipe = source{
	name: SourceKafka,
	decode: func(d *Decoder, p payload, _ Invocation) (*Batch, error) {
		batch := &Batch{wholeOnly: true, reply: replyWhole(`{"batchItemFailures":[]}`)}
		records, err := p.value.Array()
		for i, element := range records {
			record, err := element.Object()
			if err == nil {
				err = d.addKafka(batch, record, pipePartition(record), batch.cluster(record))
			}
			if err != nil {
				return nil, fmt.Errorf("record %d: %w", i, err)
			}
		}
		return batch, err
	},
}

// pipePartition returns the partition of a record of a pipe, spelled as in a batch of Lambda's:
// <topic>-<partition>. It is empty if the record does not name one.
func pipePartition(record strictjson.Object) string {
	if key, _ := record.Text("eventSourceKey"); key != "" {
		return key
	}
	topic, _ := record.Text("topic")
	partition, ok := record.Integer("partition")
	if topic == "" || !ok {
		return ""
	}
	return topic + "-" + strconv.FormatInt(partition, 10)
}

// cluster returns the name of the cluster that a batch, or a record of a pipe, is from.
func (b *Batch) cluster(members strictjson.Object) string {
	arn, _ := members.Text("eventSourceArn")
	servers, _ := members.Text("bootstrapServers")
	if b.SourceARN == "" {
		b.SourceARN = body.CleanID(arn)
	}
	return body.CleanID(cmp.Or(arn, servers))
}

// addKafka adds a record to a batch. A record without a place in a partition could not be given
// back, so it fails the batch before any work is done.
func (d *Decoder) addKafka(batch *Batch, record strictjson.Object, partition, cluster string) error {
	if len(batch.messages) == strictjson.MaxElements {
		return fmt.Errorf("more than %d records", strictjson.MaxElements)
	}
	if !body.IsID(partition) {
		return fmt.Errorf("partition: %q; expected <topic>-<number> of 1 to %d characters", strictjson.Shorten(partition), body.MaxID)
	}
	offset, ok := record.Integer("offset")
	if !ok {
		return errors.New("offset: missing or no whole number")
	}
	m := message{id: partition + "@" + strconv.FormatInt(offset, 10), order: partition, offset: offset}
	if value, given := record.Get("value"); (given && value.Kind() == "null") || (!given && !hasMisspelled(record, "value")) {
		batch.Tombstones++
		batch.add(m, body.Content{})
		return nil
	}
	sent, _ := record.Integer("timestamp") // when it was written, or what its producer says
	batch.add(m, d.readKafka(record, deletion.Request{ID: m.id, Origin: cluster, Order: m.order, SentAt: body.Millis(sent)}))
	return nil
}

// hasMisspelled reports whether an object has a member of that name in another case, or with blanks.
func hasMisspelled(members strictjson.Object, name string) bool {
	return slices.ContainsFunc(members, func(m strictjson.Member) bool { return strings.EqualFold(strings.TrimSpace(string(m.Name)), name) })
}

// readKafka reads the requests of one record.
func (d *Decoder) readKafka(record strictjson.Object, base deletion.Request) body.Content {
	list, _ := record.Get("headers")
	var headers headers
	if list != nil && list.Kind() == "array" {
		parts, err := list.Array()
		if err != nil {
			return body.Invalid(base, "headers: "+err.Error())
		}
		for _, part := range parts {
			members, _ := part.Object() // another value has no members
			headers.add(members, "ce_", "ce-")
		}
	}
	base.TraceParent = body.TraceParent(headers.traceParent)
	return d.readEncoded(record, "value", base, headers.attributes, trimSchemaID)
}

// trimSchemaID returns a text without the prefix of Confluent's serializers: a zero byte, and four
// bytes that are the number of a schema. JSON begins with neither.
// https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
func trimSchemaID(text []byte) []byte {
	const prefix = 5
	if len(text) <= prefix || text[0] != 0 {
		return text
	}
	rest := bytes.TrimLeft(strictjson.TrimMark(text[prefix:]), " \t\r\n")
	if len(rest) == 0 || rest[0] != '{' && rest[0] != '[' {
		return text
	}
	return rest
}

// replyKafka says for each partition where to go on: at the first record that needs another try.
// https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
func replyKafka(b *Batch, outcomes []deletion.Outcome) ([]byte, error) {
	type failure struct {
		ItemIdentifier struct {
			Partition string `json:"partition"`
			Offset    int64  `json:"offset"`
		} `json:"itemIdentifier"`
	}
	response := struct {
		BatchItemFailures []failure `json:"batchItemFailures"`
	}{[]failure{}}
	reported := make(map[string]bool)
	for i, err := range b.failures(outcomes) {
		if m := b.messages[i]; err != nil && !reported[m.order] {
			reported[m.order] = true
			var f failure
			f.ItemIdentifier.Partition, f.ItemIdentifier.Offset = m.order, m.offset
			response.BatchItemFailures = append(response.BatchItemFailures, f)
		}
	}
	return json.Marshal(response)
}
