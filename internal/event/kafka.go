package event

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

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
		return isKafka(service)
	},
	decode: decodeKafka,
}

// isKafka reports whether records of that eventSource are Kafka's. AWS spells a self-managed
// cluster in two ways.
func isKafka(service string) bool {
	return service == "aws:kafka" || service == "aws:SelfManagedKafka" || service == "SelfManagedKafka"
}

// decodeKafka reads the requests of each record of each partition.
func decodeKafka(d *Decoder, _ []byte, members object, _ Invocation) (*Batch, error) {
	batch := &Batch{reply: replyKafka}
	cluster := batch.cluster(members)
	partitions, ok := members.get("records")
	if !ok {
		return nil, errors.New("records: missing; expected a JSON object")
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
			record, err := objectOf(text)
			if err == nil {
				err = d.addKafka(batch, record, string(partition.name), cluster)
			}
			if err != nil {
				return nil, fmt.Errorf("record %d of %q: %w", i, shorten(string(partition.name)), err)
			}
		}
	}
	if len(batch.messages) == 0 {
		return batch, emptyBatch(members, "eventSource", "eventSourceArn", "bootstrapServers", "records")
	}
	return batch, nil
}

// kafkaPipeShape is the records of a topic as EventBridge Pipes sends them: an array. A pipe
// takes back single records of queues and of Kinesis and DynamoDB streams, but not of Kafka:
// there an error returns the whole batch.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-msk.html
var kafkaPipeShape = shape{
	source: SourceKafka,
	decode: func(d *Decoder, payload []byte, _ object, _ Invocation) (*Batch, error) {
		list, err := arrayOf(payload)
		if err != nil {
			return nil, err
		}
		batch := &Batch{whole: true, reply: replyKafkaPipe}
		for i, text := range list {
			record, err := objectOf(text)
			if err == nil {
				err = d.addKafka(batch, record, pipePartition(record), batch.cluster(record))
			}
			if err != nil {
				return nil, fmt.Errorf("record %d: %w", i, err)
			}
		}
		return batch, nil
	},
}

// pipePartition returns the partition of a record of a pipe, spelled as in a batch of Lambda's: as
// <topic>-<partition>. It is empty where the record does not name one.
func pipePartition(record object) string {
	if key, _ := record.text("eventSourceKey"); key != "" {
		return key
	}
	topic, _ := record.text("topic")
	partition, ok := record.integer("partition")
	if topic == "" || !ok {
		return ""
	}
	return topic + "-" + strconv.FormatInt(partition, 10)
}

// cluster returns the name of the cluster that a batch, or a record of a pipe, is from.
func (b *Batch) cluster(members object) string {
	arn, _ := members.text("eventSourceArn")
	servers, _ := members.text("bootstrapServers")
	if b.SourceARN == "" {
		b.SourceARN = cleanID(arn)
	}
	return cleanID(cmp.Or(arn, servers))
}

// addKafka adds a record to a batch. A record without a place in a partition could not be given
// back, so it fails the batch before any work is done.
func (d *Decoder) addKafka(batch *Batch, record object, partition, cluster string) error {
	if len(batch.messages) == maxElements {
		return fmt.Errorf("more than %d records", maxElements)
	}
	if !isID(partition) {
		return fmt.Errorf("partition: %q; expected <topic>-<number> of 1 to %d characters", shorten(partition), maxID)
	}
	offset, ok := record.integer("offset")
	if !ok {
		return errors.New("offset: missing or no whole number")
	}
	m := message{id: partition + "@" + strconv.FormatInt(offset, 10), order: partition, offset: offset}
	if value, given := record.get("value"); (given && kind(value) == "null") || (!given && !hasMisspelled(record, "value")) {
		batch.Tombstones++
		batch.add(m, content{})
		return nil
	}
	batch.add(m, d.readKafka(record, deletion.Request{ID: m.id, Origin: cluster, Order: m.order}))
	return nil
}

// hasMisspelled reports whether an object has a member of that name in another case, or with blanks.
func hasMisspelled(members object, name string) bool {
	return slices.ContainsFunc(members, func(m member) bool { return strings.EqualFold(strings.TrimSpace(string(m.name)), name) })
}

// readKafka reads the requests of one record.
func (d *Decoder) readKafka(record object, base deletion.Request) content {
	list, _ := record.get("headers")
	var headers headers
	if list != nil && kind(list) == "array" {
		parts, err := arrayOf(list)
		if err != nil {
			return refuse(base, "headers: "+err.Error())
		}
		for _, part := range parts {
			members, _ := objectOf(part) // one that is none has no name
			headers.add(members, "ce_", "ce-")
		}
	}
	base.TraceParent = traceParent(headers.traceParent)
	return d.readEncoded(record, "value", base, headers.attributes, trimSchemaID)
}

// trimSchemaID returns a value without the prefix of a serializer of Confluent's: a zero byte, and
// four bytes that are the number of a schema. A value of JSON begins with neither.
// https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
func trimSchemaID(value []byte) []byte {
	const prefix = 5
	if len(value) <= prefix || value[0] != 0 {
		return value
	}
	rest := trimMark(value[prefix:])
	if at := skipSpace(rest, 0); at == len(rest) || rest[at] != '{' && rest[at] != '[' {
		return value
	}
	return rest
}

// readEncoded reads the requests of a message whose body is the base64 in that member, less the
// prefix that trim knows. The message is a CloudEvent in binary mode where it has attributes of one.
func (d *Decoder) readEncoded(message object, member string, base deletion.Request, attributes map[string]string, trim func([]byte) []byte) content {
	value, ok := message.text(member)
	if !ok {
		return refuse(base, member+": missing or no string; expected a text in base64")
	}
	body, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return refuse(base, fmt.Sprintf("%s: %d characters that are not base64", member, len(value)))
	}
	if body = trim(body); len(attributes) == 0 {
		return d.readList(body, base)
	}
	return d.readBinary(body, base, attributes)
}

// headers are those of a message that matter: its trace context, and the attributes of a
// CloudEvent in binary mode. An attribute that cannot be read is there all the same, and empty.
type headers struct {
	traceParent string
	attributes  map[string]string
}

// add takes what it needs from some headers; a CloudEvents attribute begins with one of prefixes.
func (h *headers) add(members object, prefixes ...string) {
	for _, m := range members {
		name := string(m.name)
		if name == "traceparent" {
			h.traceParent = headerText(m.value)
			continue
		}
		for _, prefix := range prefixes {
			if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
				if h.attributes == nil {
					h.attributes = make(map[string]string)
				}
				h.attributes[strings.ToLower(name[len(prefix):])] = headerText(m.value)
			}
		}
	}
}

// headerText returns the text of a header: a string, bytes as numbers, signed or not, or an
// object that holds those. It is empty for any other value, and for one too long to be an attribute.
func headerText(value []byte) string {
	const most = 8 * maxID
	if len(value) > most {
		return ""
	}
	switch kind(value) {
	case "string":
		return string(unquote(value))
	case "object":
		members, _ := objectOf(value) // without members there are no bytes
		if value, _ = members.get("bytes"); value == nil {
			return ""
		}
	}
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

// replyKafkaPipe answers a pipe with an error where another delivery of the whole batch helps.
func replyKafkaPipe(_ *Batch, outcomes []deletion.Outcome) ([]byte, error) {
	if err := failure(outcomes); err != nil {
		return nil, err
	}
	return []byte(`{"batchItemFailures":[]}`), nil
}
