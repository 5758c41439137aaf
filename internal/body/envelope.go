package body

import (
	"fmt"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// wrapped is a value in an envelope.
type wrapped struct {
	name  string // what names the value in a message
	value strictjson.Value
	base  deletion.Request // what its requests have in common
}

// isWrapped reports whether an object is an envelope that [unwrap] opens.
func isWrapped(members strictjson.Object) bool {
	return isNotification(members) || isTopicEvent(members) || isDestinationRecord(members)
}

// unwrap returns what an envelope holds. If the content is not nil, there is nothing to open, and that is what the envelope asks for.
func unwrap(members strictjson.Object, base deletion.Request) (wrapped, *Content) {
	switch {
	case isNotification(members):
		return notification(members, base)
	case isTopicEvent(members):
		record, _ := members.FirstObject("Records")
		return notification(record.Object("Sns"), base)
	default:
		return destinationRecord(members, base)
	}
}

// finished is what unwrap returns if there is nothing to open.
func finished(c Content) (wrapped, *Content) { return wrapped{}, &c }

func isNotification(members strictjson.Object) bool {
	kind, _ := members.Text("Type")
	return kind == "Notification" && members.Has("TopicArn")
}

// isTopicEvent recognises the event of a topic that invoked a function, as it is kept when that
// failed. It has one record.
func isTopicEvent(members strictjson.Object) bool {
	record, _ := members.FirstObject("Records")
	if service, _ := record.Text("EventSource"); service != services.SNS || !record.Has("Sns") {
		return false
	}
	list, _ := members.Get("Records")
	records, err := list.Array()
	return err == nil && len(records) == 1
}

// notification opens what a topic delivers to a queue, or to a function.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
func notification(members strictjson.Object, base deletion.Request) (wrapped, *Content) {
	if id, _ := members.Text("MessageId"); IsID(id) {
		base.ID = id
	}
	attribute, _ := members.Object("MessageAttributes").Object("traceparent").Text("Value")
	if trace := TraceParent(attribute); trace != "" {
		base.TraceParent = trace
	}
	text, ok := members.Text("Message")
	if !ok {
		return finished(Invalid(base, "Message: missing or no string; expected a text"))
	}
	value, err := strictjson.Parse([]byte(text))
	if err != nil {
		return finished(dropOwnEvents(Invalid(base, "Message is "+err.Error()), []byte(text), nil))
	}
	return wrapped{"Message", value, base}, nil
}

func isDestinationRecord(members strictjson.Object) bool {
	return members.Has("requestPayload") && members.Object("requestContext").Has("functionArn")
}

// destinationRecord opens what Lambda sends to the destination of an asynchronous invocation: the
// result of one that succeeded, the event of one that did not.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
func destinationRecord(members strictjson.Object, base deletion.Request) (wrapped, *Content) {
	context := members.Object("requestContext")
	var name string
	switch condition, _ := context.Text("condition"); condition {
	case "Success":
		name = "responsePayload"
	case "RetriesExhausted", "EventAgeExceeded":
		name = "requestPayload"
	default:
		return finished(Invalid(base, fmt.Sprintf("requestContext.condition: %q; expected Success, RetriesExhausted or EventAgeExceeded", strictjson.Shorten(condition))))
	}
	if id, _ := context.Text("requestId"); IsID(id) {
		base.ID = id
	}
	value, ok := members.Get(name)
	if !ok {
		return finished(Invalid(base, name+": missing; expected a request"))
	}
	if isEmptyResult(value) {
		return finished(Content{OwnEvent: name + ": the reply to a payload that held only own outcome events"})
	}
	return wrapped{name, value, base}, nil
}

// isEmptyResult reports whether a value is what this function returns for a payload without requests:
// its own outcome events that came back. A destination must not make a request of it.
func isEmptyResult(value strictjson.Value) bool {
	members, err := value.Object()
	return err == nil && len(members) == 1 && string(members[0].Name) == "results" && members[0].Value.IsEmptyArray()
}
