package body

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// maxEnvelopes is how many notifications, timers and destination records are opened, one inside the
// other.
const maxEnvelopes = 5

// part is a value of a body.
type part struct {
	name    string // what names the value in a message
	value   strictjson.Value
	members strictjson.Object // of an object; nil if they were not read yet
	base    deletion.Request  // what its requests have in common
}

// Read reads the requests of a text that is an object or an array of objects. What the message that
// holds the text says of all its requests is in base; an envelope in the text may say it more exactly.
func (r Reader) Read(text []byte, base deletion.Request) Content {
	return r.parse("the body", text, base, maxEnvelopes)
}

// ReadValue is [Reader.Read] for a value that was parsed before, with its members if it is an object.
func (r Reader) ReadValue(value strictjson.Value, members strictjson.Object, base deletion.Request) Content {
	return r.open(part{"the body", value, members, base}, maxEnvelopes)
}

// ReadNotification reads the requests of what an SNS topic delivers, from its members.
func (r Reader) ReadNotification(members strictjson.Object, base deletion.Request) Content {
	return r.notification(members, base, maxEnvelopes-1)
}

// ReadEventText is [Reader.ReadEvent] for a text.
func (r Reader) ReadEventText(text []byte, base deletion.Request) Content {
	value, err := strictjson.Parse(text)
	if err != nil {
		return r.Read(text, base) // which says why not
	}
	return r.ReadEvent(value, base)
}

// ReadEvent reads the requests of a value that must be a CloudEvent in structured mode.
func (r Reader) ReadEvent(value strictjson.Value, base deletion.Request) Content {
	members, err := value.Object()
	if err == nil && !members.Has("specversion") {
		return dropOwnEvents(Invalid(base, "the Content-Type announces a CloudEvent in structured mode, and the body is none"), value, members)
	}
	return r.openObject(part{"the body", value, members, base}, maxEnvelopes)
}

// ReadBinary reads the requests of a CloudEvent in binary mode: its attributes, readable or not, came
// beside the text, for example as headers.
func (r Reader) ReadBinary(text []byte, base deletion.Request, attributes map[string]string) Content {
	e := attributesOf(func(name string) (string, bool) { text, given := attributes[name]; return text, given })
	e.parseData(text)
	var members strictjson.Object
	if e.fault == "" {
		members, _ = e.data.Object() // another value has no members
	}
	if e.eventType == TickType {
		return r.ReadTick(members, base)
	}
	c := dropOwnEvents(r.ofCloudEvent(e, base), text, members)
	if c.OwnEventReason == "" && isOutcomeType(e.eventType) {
		c = Content{OwnEventReason: c.Requests[0].Err.Message}
	}
	return c
}

// parse reads the requests of a text.
func (r Reader) parse(name string, text []byte, base deletion.Request, envelopes int) Content {
	value, members, err := strictjson.ParseObject(text)
	if err != nil {
		return dropOwnEvents(Invalid(base, name+" is "+err.Error()), text, nil)
	}
	return r.open(part{name, value, members, base}, envelopes)
}

// open reads the requests of a value that is an object or an array of objects, in that many envelopes
// at the most.
func (r Reader) open(p part, envelopes int) Content {
	if p.value.Kind() == "array" {
		return r.openList(p, envelopes)
	}
	return r.openObject(p, envelopes)
}

// openObject reads the requests of an object, out of whatever envelopes it is in. The innermost
// envelope's id becomes the request id, because that is the id its sender received.
func (r Reader) openObject(p part, envelopes int) Content {
	members, err := p.members, error(nil)
	if members == nil {
		members, err = p.value.Object()
	}
	var c Content
	switch other := services.Other(members); {
	case err != nil:
		c = Invalid(p.base, p.name+" is "+err.Error())
	case envelopes < 0:
		c = Invalid(p.base, fmt.Sprintf("it is in more than %d envelopes", maxEnvelopes))
	case other != "":
		c = Invalid(p.base, "it is "+other+", which asks for no deletion")
	case isNotification(members):
		return r.notification(members, p.base, envelopes-1)
	case isTopicEvent(members):
		record, _ := members.FirstObject("Records")
		return r.notification(record.Object("Sns"), p.base, envelopes-1)
	case isSMNEvent(members):
		record, _ := members.FirstObject("record")
		return r.smn(record.Object("smn"), p.base, envelopes-1)
	case IsTimer(members):
		return r.timer(members, p.base, envelopes-1)
	case IsDestinationRecord(members):
		return r.destinationRecord(members, p.base, envelopes-1)
	case IsTick(members):
		c = r.ReadTick(members, p.base)
	case members.Has("specversion"):
		c = r.ofCloudEvent(structured(members), p.base)
	case members.Has("detail-type"):
		c = r.ofBusEvent(members, p.base)
	default:
		c = ofPlain(members, p.base)
	}
	return dropOwnEvents(c, p.value, members)
}

// openList reads the requests of an array: at least one of each element, but none of an own outcome
// event. An array in which no element may be a request is invalid as a whole.
func (r Reader) openList(p part, envelopes int) Content {
	elements, err := p.value.Array()
	switch {
	case err != nil:
	case len(elements) == 0 || len(elements) > MaxList:
		err = fmt.Errorf("an array of %d elements; expected 1 to %d", len(elements), MaxList)
	case !slices.ContainsFunc(elements, MayBeRequest):
		err = errors.New("an array in which no element is a request; the first is " + Describe(elements[0]))
	}
	if err != nil {
		return dropOwnEvents(Invalid(p.base, p.name+" is "+err.Error()), p.value, nil)
	}
	all := Content{List: true}
	r.Ticks = false
	for i, element := range elements {
		base := p.base
		base.Field += "[" + strconv.Itoa(i) + "]"
		c := r.openObject(part{"it", element, nil, base}, envelopes)
		all.OwnEventReason = cmp.Or(all.OwnEventReason, c.OwnEventReason)
		all.NamesDryRun = all.NamesDryRun || c.NamesDryRun
		all.Requests = append(all.Requests, c.Requests...)
		if len(all.Requests) > MaxList {
			return Invalid(p.base, fmt.Sprintf("%s asks for more than %d deletions", p.name, MaxList))
		}
	}
	return all
}

// notification reads the requests of what a topic delivers to a queue, or to a function.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
func (r Reader) notification(members strictjson.Object, base deletion.Request, envelopes int) Content {
	if id, _ := members.Text("MessageId"); IsID(id) {
		base.ID = id
	}
	r.relayed(&base)
	sent, _ := members.Text("Timestamp")
	noteSent(&base, sent)
	attribute, _ := members.Object("MessageAttributes").Object("traceparent").Text("Value")
	base.TraceParent = cmp.Or(TraceParent(attribute), base.TraceParent)
	message, _ := members.Get("Message")
	text, ok := message.Bytes()
	if !ok {
		return Invalid(base, "Message: missing or not a string; expected a text")
	}
	return r.parse("Message", text, base, envelopes)
}

// ReadSMN reads the requests of what an SMN topic delivers to a function, from the member smn of a record.
func (r Reader) ReadSMN(members strictjson.Object, base deletion.Request) Content {
	return r.smn(members, base, maxEnvelopes-1)
}

// smn does not read the attributes: their values are letters, digits and "_", so no trace context fits.
func (r Reader) smn(members strictjson.Object, base deletion.Request, envelopes int) Content {
	if id, _ := members.Text("message_id"); IsID(id) {
		base.ID = id
	}
	sent, _ := members.Text("timestamp")
	noteSent(&base, sent)
	message, _ := members.Get("message")
	text, ok := message.Bytes()
	if !ok {
		return Invalid(base, "message: missing or not a string; expected a text")
	}
	return r.parse("message", text, base, envelopes)
}

// ReadTimer reads the request, or the tick, in the user_event of a TIMER trigger, from the members of its event.
func (r Reader) ReadTimer(members strictjson.Object, base deletion.Request) Content {
	return r.timer(members, base, maxEnvelopes-1)
}

// timer names a request by the trigger and the time at which it fired, which retries of a firing have in common and
// the next firing does not. Functions may use the same name, so what the trigger carries is the origin.
func (r Reader) timer(members strictjson.Object, base deletion.Request, envelopes int) Content {
	const expected = `expected the text of a request, for example {"backup_id": "…"}, or of the tick`
	name, _ := members.Text("trigger_name")
	fired, _ := members.Text("time")
	value, _ := members.Get("user_event")
	text, ok := value.Bytes()
	if id := name + "@" + fired; name != "" && fired != "" && IsID(id) {
		base.ID, base.Origin = id, Digest(string(text))
	}
	noteSent(&base, fired)
	if !ok {
		return Invalid(base, "user_event: missing or not a string; "+expected)
	}
	c := r.parse("user_event", text, base, envelopes)
	if _, _, err := strictjson.ParseObject(text); err != nil && len(c.Requests) > 0 {
		return Invalid(base, c.Requests[0].Err.Message+"; "+expected)
	}
	return c
}

// relayed forgets who put a message into a queue: it was a topic or a bus, which does not say who sent the message.
func (r Reader) relayed(base *deletion.Request) {
	if r.Queue {
		base.By = nil
	}
}

// destinationRecord reads the requests of what Lambda sends to the destination of an asynchronous
// invocation: the result of one that succeeded, the event of one that did not. FunctionGraph writes the same
// in snake case, with payloads that are texts, and with the type of the error as the condition.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html and
// https://support.huaweicloud.com/intl/en-us/usermanual-functiongraph/functiongraph_01_0390_03.html
func (r Reader) destinationRecord(members strictjson.Object, base deletion.Request, envelopes int) Content {
	contextName, idName, request, response := "requestContext", "requestId", "requestPayload", "responsePayload"
	isHuawei := !members.Object(contextName).Has("functionArn")
	if isHuawei {
		contextName, idName, request, response = "request_context", "request_id", "request_payload", "response_payload"
	}
	context := members.Object(contextName)
	sent, _ := members.Text("timestamp")
	noteSent(&base, sent)
	var name string
	failed := isHuawei && hasFailed(members.Object("response_context"))
	switch condition, _ := context.Text("condition"); {
	case condition == "Success", isHuawei && condition == "" && !failed:
		name = response
	case condition == "RetriesExhausted", condition == "EventAgeExceeded", failed:
		name = request
	default:
		return Invalid(base, fmt.Sprintf("%s.condition: %q; expected Success, RetriesExhausted or EventAgeExceeded", contextName, strictjson.Shorten(condition)))
	}
	if id, _ := context.Text(idName); IsID(id) {
		base.ID = id
	}
	value, ok := members.Get(name)
	if text, isText := value.Bytes(); isHuawei && isText {
		parsed, err := strictjson.Parse(text)
		if err != nil {
			return r.parse(name, text, base, envelopes) // which says why not
		}
		value = parsed
	}
	switch {
	case !ok:
		return Invalid(base, name+": missing; expected a request")
	case isEmptyResult(value):
		return Content{OwnEventReason: name + ": the reply to a payload that held only own outcome events"}
	}
	return r.open(part{name, value, nil, base}, envelopes)
}

// hasFailed reports whether the response_context of a record of FunctionGraph is that of an invocation that failed.
func hasFailed(response strictjson.Object) bool {
	status, hasStatus := response.Integer("status_code")
	message, _ := response.Text("function_error")
	return hasStatus && status != 200 || message != ""
}

// ofBusEvent reads the requests of an event of an EventBridge bus, which others may read as well: its
// type must say that it is a request. The detail is a plain request or a whole CloudEvent.
// https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
func (r Reader) ofBusEvent(members strictjson.Object, base deletion.Request) Content {
	if id, _ := members.Text("id"); IsID(id) {
		base.ID = id
	}
	r.relayed(&base)
	sent, _ := members.Text("time")
	noteSent(&base, sent)
	if detailType, _ := members.Text("detail-type"); detailType != r.requestType() {
		return Invalid(base, fmt.Sprintf("it is an event of detail-type %q; expected %q", strictjson.Shorten(detailType), r.requestType()))
	}
	detail, ok := members.Get("detail")
	if !ok {
		return Invalid(base, "detail: missing; expected a JSON object")
	}
	inner, err := detail.Object()
	if err != nil {
		return Invalid(base, "detail: "+err.Error())
	}
	if inner.Has("specversion") {
		return r.ofCloudEvent(structured(inner), base)
	}
	return ofPlain(inner, base)
}
