package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"dds-backup-delete/internal/deletion"
)

// maxEnvelopes is how many envelopes are opened, one inside the other.
const maxEnvelopes = 5

// openText reads the requests of a text, whose value open reads; what names the text in a message.
func openText(what string, text []byte, base deletion.Request, envelopes int, open opener) content {
	text = trimMark(text)
	if err := parse(text); err != nil {
		return judge(refuse(base, what+" is "+err.Error()), text)
	}
	return open(what, text, base, envelopes)
}

// opener reads the requests of a value that is valid JSON.
type opener func(what string, value []byte, base deletion.Request, envelopes int) content

// openAny reads the requests of a value that is an object or an array of objects.
func (d *Decoder) openAny(what string, value []byte, base deletion.Request, envelopes int) content {
	if kind(value) == "array" {
		return d.openList(what, value, base, envelopes)
	}
	return d.open(what, value, base, envelopes)
}

// open reads the requests of a value that is valid JSON, out of whatever envelopes it is in. The
// innermost envelope's id becomes the request id, because that is the id its sender received.
func (d *Decoder) open(what string, value []byte, base deletion.Request, envelopes int) content {
	members, err := objectOf(value)
	switch {
	case err != nil:
		return judge(refuse(base, what+" is "+err.Error()), value)
	case envelopes < 0:
		return judge(refuse(base, fmt.Sprintf("it is in more than %d envelopes", maxEnvelopes)), value)
	}
	if other := otherService(members); other != "" {
		return judge(refuse(base, "it is "+other+", which asks for no deletion"), value)
	}
	switch {
	case isNotification(members):
		return d.openNotification(members, base, envelopes)
	case isTopicEvent(members):
		record, _ := firstOf(members, "Records")
		return d.openNotification(record.object("Sns"), base, envelopes)
	case isDestinationRecord(members):
		return d.openDestinationRecord(members, base, envelopes)
	case members.has("specversion"):
		return judge(d.openCloudEvent(structured(members), base), value)
	case members.has("detail-type"):
		return judge(d.openBusEvent(members, base), value)
	default:
		return judge(plain(members, base), value)
	}
}

// looksLikeRequest reports whether an element of an array may be a request: it names a backup,
// or is an envelope that may hold one.
func looksLikeRequest(element []byte) bool {
	members, err := objectOf(element)
	if err != nil || otherService(members) != "" {
		return false
	}
	return namesBackup(members) || isNotification(members) || isTopicEvent(members) || isDestinationRecord(members) ||
		members.has("specversion") || members.has("detail-type")
}

// openList reads the requests of an array, one or more from each element. Own outcome events
// among them are left alone. An array without any request is refused as a whole.
func (d *Decoder) openList(what string, list []byte, base deletion.Request, envelopes int) content {
	elements, err := arrayOf(list)
	switch {
	case err != nil:
	case len(elements) == 0 || len(elements) > maxList:
		err = fmt.Errorf("an array of %d elements; expected 1 to %d", len(elements), maxList)
	case !slices.ContainsFunc(elements, func(e json.RawMessage) bool { return looksLikeRequest(e) }):
		err = errors.New("an array in which no element is a request; " + describe(elements[0]))
	}
	if err != nil {
		return judge(refuse(base, what+" is "+err.Error()), list)
	}
	c := content{list: true}
	for i, element := range elements {
		r := base
		r.Field = base.Field + "[" + strconv.Itoa(i) + "]"
		part := d.open("it", element, r, envelopes)
		if c.echo == "" {
			c.echo = part.echo
		}
		if c.requests = append(c.requests, part.requests...); len(c.requests) > maxList {
			return refuse(base, fmt.Sprintf("%s asks for more than %d deletions", what, maxList))
		}
	}
	return c
}

// describe says what the first element of an array is in which no element is a request.
func describe(element []byte) string {
	members, err := objectOf(element)
	if err != nil {
		return "the first is " + err.Error()
	}
	if other := otherService(members); other != "" {
		return "the first is " + other + ", which asks for no deletion"
	}
	return "the first is " + unknownPayload(members)
}

func isNotification(members object) bool {
	kind, _ := members.text("Type")
	return kind == "Notification" && members.has("TopicArn")
}

// isTopicEvent tells the event of a topic that invoked a function, as it is kept when that
// failed. It has one record.
func isTopicEvent(members object) bool {
	record, _ := firstOf(members, "Records")
	if service, _ := record.text("EventSource"); service != snsEventSource || !record.has("Sns") {
		return false
	}
	records, err := recordsOf(members)
	return err == nil && len(records) == 1
}

// openNotification opens what a topic delivers to a queue, or to a function.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
func (d *Decoder) openNotification(members object, base deletion.Request, envelopes int) content {
	if id, _ := members.text("MessageId"); isID(id) {
		base.ID = id
	}
	if trace := traceParent(attribute(members.object("MessageAttributes"), "traceparent", "Value")); trace != "" {
		base.TraceParent = trace
	}
	text, ok := members.text("Message")
	if !ok {
		return refuse(base, "Message: missing or no string; expected a text")
	}
	return openText("Message", []byte(text), base, envelopes-1, d.openAny)
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
	if id, _ := members.text("id"); isID(id) {
		base.ID = id
	}
	if detailType, _ := members.text("detail-type"); detailType != d.requestType() {
		return refuse(base, fmt.Sprintf("it is an event of detail-type %q; expected %q", shorten(detailType), d.requestType()))
	}
	detail, ok := members.get("detail")
	if !ok {
		return refuse(base, "detail: missing; expected a JSON object")
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
	var name string
	switch condition, _ := members.object("requestContext").text("condition"); condition {
	case "Success":
		name = "responsePayload"
	case "RetriesExhausted", "EventAgeExceeded":
		name = "requestPayload"
	default:
		return refuse(base, fmt.Sprintf("requestContext.condition: %q; expected Success, RetriesExhausted or EventAgeExceeded", shorten(condition)))
	}
	if id, _ := members.object("requestContext").text("requestId"); isID(id) {
		base.ID = id
	}
	payload, ok := members.get(name)
	if !ok {
		return refuse(base, name+": missing; expected a request")
	}
	if isEmptyResult(payload) {
		return content{echo: name + ": the reply to a payload that held only own outcome events"}
	}
	return d.openAny(name, payload, base, envelopes-1)
}

// isEmptyResult reports whether a value is what this function returns for a payload without requests:
// its own outcome events that came back. A destination must not make a request of it.
func isEmptyResult(value []byte) bool {
	members, err := objectOf(value)
	if err != nil || len(members) != 1 {
		return false
	}
	list, ok := members.get("results")
	return ok && kind(list) == "array" && list[skipSpace(list, 1)] == ']'
}
