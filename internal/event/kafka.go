package event

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
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
		return service == "aws:kafka" || service == "SelfManagedKafka"
	},
	decode: decodeKafka,
}

// decodeKafka reads the requests of each record. A record without a place in its partition
// could not be given back, so it fails the batch before any work is done.
func decodeKafka(d *Decoder, _ []byte, members object, _ Invocation) (*Batch, error) {
	batch := &Batch{reply: replyKafka}
	batch.SourceARN, _ = members.text("eventSourceArn")
	servers, _ := members.text("bootstrapServers")
	cluster := cmp.Or(batch.SourceARN, servers)
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
			batch.add(m, d.readKafka(record, deletion.Request{ID: m.id, Origin: cluster, Order: m.order}))
		}
	}
	return batch, nil
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
	return d.readEncoded(record, "value", base, headers.attributes)
}

// readEncoded reads the requests of a message whose body is the base64 in that member. It is a
// CloudEvent in binary mode where it has attributes of one.
func (d *Decoder) readEncoded(message object, member string, base deletion.Request, attributes map[string]string) content {
	value, ok := message.text(member)
	if !ok {
		return refuse(base, member+": missing or no string")
	}
	body, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return refuse(base, fmt.Sprintf("%s: %d characters that are not base64", member, len(value)))
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
