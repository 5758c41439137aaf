package body

import (
	"fmt"
	"strings"

	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// MayBeRequest reports whether an element of an array may be a request: it names a backup, or is an
// envelope that may hold a request.
func MayBeRequest(element strictjson.Value) bool {
	members, err := element.Object()
	if err != nil || services.Other(members) != "" {
		return false
	}
	return namesBackup(members) || isNotification(members) || isTopicEvent(members) || IsDestinationRecord(members) ||
		members.Has("specversion") || members.Has("detail-type")
}

// IsDirect reports whether an object is a plain request, or an envelope of one, that invokes the
// function without any source around it.
func IsDirect(members strictjson.Object) bool {
	return IsDestinationRecord(members) || isNotification(members) || (namesBackup(members) && notARequest(members) == "")
}

// Describe says what a value is if it is not a request.
func Describe(value strictjson.Value) string {
	members, err := value.Object()
	if err != nil {
		return err.Error()
	}
	if other := services.Other(members); other != "" {
		return other + ", which asks for no deletion"
	}
	return DescribeUnknown(members)
}

// DescribeUnknown says what an object is if it is neither a request nor from a known source.
func DescribeUnknown(members strictjson.Object) string {
	if why := notARequest(members); why != "" && namesBackup(members) {
		return "not a request: " + why
	}
	if len(members) == 0 {
		return "an empty JSON object; " + Expected
	}
	if why := misspelled(members); why != "" {
		return "not a request: " + why
	}
	if checkMembers(members) == "" {
		return "a request without backup_id; " + Expected
	}
	const most = 5
	var quoted []string
	for _, m := range members[:min(len(members), most)] {
		quoted = append(quoted, fmt.Sprintf("%q", strictjson.Shorten(string(m.Name))))
	}
	if len(members) > most {
		quoted = append(quoted, "…")
	}
	return "a JSON object with " + strings.Join(quoted, ", ") + ", which is of no known source; " + Expected
}

func isNotification(members strictjson.Object) bool {
	kind, _ := members.Text("Type")
	return kind == "Notification" && members.Has("TopicArn")
}

// isTopicEvent recognises the event of a topic that invoked a function, as it is kept when that
// failed. It has one record.
func isTopicEvent(members strictjson.Object) bool {
	record, _ := members.FirstObject("Records")
	service, _ := record.Text("EventSource")
	return service == services.SNS && record.Has("Sns") && hasOne(members, "Records")
}

// isSMNEvent recognises the event of an SMN trigger of Huawei FunctionGraph in another envelope. It has one record.
func isSMNEvent(members strictjson.Object) bool {
	record, _ := members.FirstObject("record")
	service, _ := services.OfRecord(record)
	return service == services.SMN && hasOne(members, "record")
}

// hasOne reports whether a member is an array of one element.
func hasOne(members strictjson.Object, name string) bool {
	list, _ := members.Get(name)
	elements, err := list.Array()
	return err == nil && len(elements) == 1
}

// IsTimer reports whether an object is what a TIMER trigger of Huawei FunctionGraph sends.
func IsTimer(members strictjson.Object) bool {
	trigger, _ := members.Text("trigger_type")
	return trigger == services.Timer
}

// IsDestinationRecord reports whether an object is what Lambda or FunctionGraph sends to the destination of an
// asynchronous invocation.
func IsDestinationRecord(members strictjson.Object) bool {
	return members.Has("requestPayload") && members.Object("requestContext").Has("functionArn") ||
		members.Has("request_payload") && members.Object("request_context").Has("function_urn")
}

// isEmptyResult reports whether a value is what this function returns for a payload without requests:
// its own outcome events that came back. A destination must not make a request of it.
func isEmptyResult(value strictjson.Value) bool {
	members, _ := value.Object()
	return len(members) == 1 && string(members[0].Name) == "results" && members[0].Value.IsEmptyArray()
}
