package event

import (
	"strings"

	"dds-backup-delete/internal/deletion"
)

// published are the statuses whose outcomes are published.
var published = []deletion.Status{
	deletion.Accepted, deletion.Unconfirmed, deletion.NotFound, deletion.Rejected, deletion.Simulated,
}

// isEcho reports whether a body that is no request is an outcome event of ours, or its data,
// bare or in an envelope of a bus, a topic, a destination or a list. To reject it would publish
// another event, which would come back the same way: a loop without end. So it is left alone.
func isEcho(body []byte) bool {
	const layers = 5 * (maxEnvelopes + 1) // an envelope is up to five layers of objects and lists
	return parse(body) == nil && echoes(body, layers)
}

func echoes(value []byte, layers int) bool {
	if layers == 0 {
		return false
	}
	if list, err := arrayOf(value); err == nil {
		for _, element := range list {
			if echoes(element, layers-1) {
				return true
			}
		}
		return false
	}
	members, err := objectOf(value)
	if err != nil {
		return false
	}
	if isOutcomeData(members) || hasOutcomeType(members) {
		return true
	}
	for _, envelope := range []string{"detail", "data", "requestPayload", "responsePayload", "results", "Records", "Sns"} {
		if inner, ok := members.get(envelope); ok && echoes(inner, layers-1) {
			return true
		}
	}
	message, ok := members.text("Message") // a topic's message is text
	return ok && parse([]byte(message)) == nil && echoes([]byte(message), layers-1)
}

// hasOutcomeType reports whether an event has a type of ours, by CloudEvents or by EventBridge.
func hasOutcomeType(members object) bool {
	for _, name := range []string{"type", "detail-type"} {
		if eventType, _ := members.text(name); isOutcomeType(eventType) {
			return true
		}
	}
	return false
}

// isOutcomeType reports whether a type is one of ours.
func isOutcomeType(eventType string) bool {
	rest, ours := strings.CutPrefix(eventType, deletion.TypePrefix)
	if !ours {
		return false
	}
	for _, status := range published {
		if rest == string(status)+".v1" {
			return true
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
