package event

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"dds-backup-delete/internal/deletion"
)

// maxEnvelopes is how many envelopes are opened, one inside the other.
const maxEnvelopes = 5

// maxEventID bounds, in bytes, the id and the source that an event brings.
const maxEventID = 1024

// open reads the requests of an object, out of whatever envelopes it is in. An envelope's own
// id is what whoever asked was told, so the innermost one names the request.
func (d *Decoder) open(members object, base deletion.Request, envelopes int) content {
	switch {
	case envelopes == 0:
		return refuse(base, fmt.Sprintf("it is in more than %d envelopes", maxEnvelopes))
	case isNotification(members):
		return d.openNotification(members, base, envelopes)
	case isTopicEvent(members):
		record, _ := firstRecord(members, "")
		return d.openNotification(record.object("Sns"), base, envelopes)
	case members.has("specversion"):
		return d.openCloudEvent(structured(members), base)
	case members.has("detail-type"):
		return d.openBusEvent(members, base)
	case isDestinationRecord(members):
		return d.openDestinationRecord(members, base, envelopes)
	default:
		return plain(members, base)
	}
}

func isNotification(members object) bool {
	kind, _ := members.text("Type")
	return kind == "Notification" && members.has("TopicArn")
}

// isTopicEvent tells the event of a topic that invoked a function, as it is kept when that
// failed. It has one record.
func isTopicEvent(members object) bool {
	record, service := firstRecord(members, "EventSource")
	if service != snsEventSource || !record.has("Sns") {
		return false
	}
	records, err := recordsOf(members)
	return err == nil && len(records) == 1
}

// openNotification opens what a topic delivers to a queue, or to a function.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
func (d *Decoder) openNotification(members object, base deletion.Request, envelopes int) content {
	if id, _ := members.text("MessageId"); id != "" {
		base.ID = id
	}
	if trace := traceParent(attribute(members.object("MessageAttributes"), "traceparent", "Value")); trace != "" {
		base.TraceParent = trace
	}
	text, ok := members.text("Message")
	if !ok {
		return refuse(base, "Message: missing or no string")
	}
	inner, err := parseObject([]byte(text))
	if err != nil {
		return refuse(base, "Message: "+err.Error())
	}
	return d.open(inner, base, envelopes-1)
}

// attribute returns the text of a message attribute of a queue or a topic.
func attribute(attributes object, name, value string) string {
	text, _ := attributes.object(name).text(value)
	return text
}

// openBusEvent opens an event of an EventBridge bus, which others may read as well: its type
// must say that it is a request. The detail is a plain request or a whole CloudEvent.
// https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
func (d *Decoder) openBusEvent(members object, base deletion.Request) content {
	if id, _ := members.text("id"); id != "" {
		base.ID = id
	}
	if detailType, _ := members.text("detail-type"); detailType != d.requestType() {
		return refuse(base, fmt.Sprintf("it is an event of detail-type %q, want %q", shorten(detailType), d.requestType()))
	}
	detail, ok := members.get("detail")
	if !ok {
		return refuse(base, "detail: missing, want a JSON object")
	}
	inner, err := objectOf(detail)
	if err != nil {
		return refuse(base, "detail: "+err.Error())
	}
	if inner.has("specversion") {
		return d.openCloudEvent(structured(inner), base)
	}
	return plain(inner, base)
}

func isDestinationRecord(members object) bool {
	return members.has("requestPayload") && members.object("requestContext").has("functionArn")
}

// openDestinationRecord opens what Lambda sends to the destination of an asynchronous
// invocation: the result of one that succeeded, the event of one that did not.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
func (d *Decoder) openDestinationRecord(members object, base deletion.Request, envelopes int) content {
	name := "requestPayload"
	if condition, _ := members.object("requestContext").text("condition"); condition == "Success" {
		name = "responsePayload"
	}
	if id, _ := members.object("requestContext").text("requestId"); id != "" {
		base.ID = id
	}
	payload, ok := members.get(name)
	if !ok {
		return refuse(base, name+": missing, want a request")
	}
	if kind(payload) == "array" {
		return d.openList(payload, base)
	}
	inner, err := objectOf(payload)
	if err != nil {
		return refuse(base, name+": "+err.Error())
	}
	return d.open(inner, base, envelopes-1)
}

// cloudEvent is what matters here of a CloudEvent, in whatever mode it came.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
type cloudEvent struct {
	specVersion, id, source, eventType, traceParent string
	data                                            []byte
	fault                                           string // why there is no data to read; empty where there is
}

// structured reads an event in the JSON format.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
func structured(members object) cloudEvent {
	e := attributesOf(func(name string) string {
		text, _ := members.text(name)
		return text
	})
	data, hasData := members.get("data")
	encoded, hasBase64 := members.get("data_base64")
	switch {
	case hasData && hasBase64:
		e.fault = "data and data_base64: both given, want one"
	case hasData:
		e.data = data
	case !hasBase64:
		e.fault = "data: missing, want a JSON object"
	case kind(encoded) != "string":
		e.fault = "data_base64: a JSON " + kind(encoded) + ", want a string"
	default:
		text := unquote(encoded)
		decoded, err := base64.StdEncoding.DecodeString(string(text))
		if e.data = decoded; err != nil {
			e.fault = fmt.Sprintf("data_base64: %d characters that are not base64", len(text))
		}
	}
	return e
}

// binary reads an event in binary mode, whose attributes are headers; specVersion is empty where it is none.
func binary(header func(name string) string, body []byte) cloudEvent {
	e := attributesOf(header)
	e.data = body
	return e
}

func attributesOf(get func(name string) string) cloudEvent {
	return cloudEvent{
		specVersion: get("specversion"), id: get("id"), source: get("source"), eventType: get("type"), traceParent: get("traceparent"),
	}
}

// openCloudEvent reads the requests of a CloudEvent, if that asks for a deletion. Only its
// type says so: it may be an event that others can see, too.
func (d *Decoder) openCloudEvent(e cloudEvent, base deletion.Request) content {
	if e.id != "" && len(e.id) <= maxEventID && len(e.source) <= maxEventID {
		base.ID, base.Origin = e.id, e.source
	}
	if trace := traceParent(e.traceParent); trace != "" {
		base.TraceParent = trace
	}
	switch {
	case e.eventType != d.requestType():
		return refuse(base, fmt.Sprintf("it is a CloudEvent of type %q, want %q", shorten(e.eventType), d.requestType()))
	case e.specVersion != "1.0":
		return refuse(base, fmt.Sprintf("specversion: %q, want \"1.0\"", shorten(e.specVersion)))
	case e.id == "" || len(e.id) > maxEventID:
		return refuse(base, fmt.Sprintf("id: %d bytes, want 1 to %d", len(e.id), maxEventID))
	case e.source == "" || len(e.source) > maxEventID:
		return refuse(base, fmt.Sprintf("source: %d bytes, want 1 to %d", len(e.source), maxEventID))
	case e.fault != "":
		return refuse(base, e.fault)
	}
	members, err := parseObject(e.data)
	if err != nil {
		return refuse(base, "data: "+err.Error())
	}
	return plain(members, base)
}

// decodeHeader returns the value of a CloudEvents attribute that travelled as an HTTP header.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#3132-http-header-values
func decodeHeader(value string) string {
	if !strings.Contains(value, "%") {
		return value
	}
	if decoded, err := url.PathUnescape(value); err == nil {
		return decoded
	}
	return value
}
