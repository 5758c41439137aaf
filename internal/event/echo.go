package event

import (
	"encoding/json"

	"dds-backup-delete/internal/deletion"
)

// published are the statuses whose outcomes are published.
var published = []deletion.Status{
	deletion.Accepted, deletion.Unconfirmed, deletion.NotFound, deletion.Rejected, deletion.Simulated,
}

// maxEnvelopes is how many envelopes are opened in search of an echo.
const maxEnvelopes = 5

// isEcho reports whether a body that is no request is an outcome event of ours, or its data,
// bare or in an envelope of a bus, a topic or a list. To reject it would publish another event,
// which would come back the same way: a loop without end. So it is left alone.
func isEcho(body []byte) bool { return echoes(body, maxEnvelopes) }

func echoes(value []byte, envelopes int) bool {
	if envelopes == 0 {
		return false
	}
	var list []json.RawMessage
	if json.Unmarshal(value, &list) == nil {
		for _, element := range list {
			if echoes(element, envelopes-1) {
				return true
			}
		}
		return false
	}
	members, err := parseObject(value)
	if err != nil {
		return false
	}
	if isOutcomeData(members) || hasOutcomeType(members) {
		return true
	}
	for _, envelope := range []string{"detail", "data", "Message"} {
		inner, ok := members.get(envelope)
		if text, isText := members.text(envelope); isText { // a topic's message is text
			inner = json.RawMessage(text)
		}
		if ok && echoes(inner, envelopes-1) {
			return true
		}
	}
	return false
}

// hasOutcomeType reports whether an event has a type of ours, by CloudEvents or by EventBridge.
func hasOutcomeType(members object) bool {
	for _, name := range []string{"type", "detail-type"} {
		eventType, _ := members.text(name)
		for _, status := range published {
			if eventType == deletion.EventType(status) {
				return true
			}
		}
	}
	return false
}

// isOutcomeData reports whether an object is the data of an outcome event.
func isOutcomeData(members object) bool {
	_, hasID := members.text("request_id")
	_, hasProject := members.text("project_id")
	got, _ := members.text("status")
	for _, status := range published {
		if hasID && hasProject && got == string(status) {
			return true
		}
	}
	return false
}
