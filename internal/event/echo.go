package event

import (
	"regexp"
	"strings"
	"sync"

	"dds-backup-delete/internal/deletion"
)

// published are the statuses whose outcomes are published.
var published = []deletion.Status{
	deletion.Accepted, deletion.Unconfirmed, deletion.NotFound, deletion.Rejected, deletion.Simulated,
}

// isEcho reports whether a text that is no request is an own outcome event, or its data, in
// whatever wrapping. To reject it would publish another event, which would come back the same
// way: a loop without end. So it is left alone.
//
// The wrapping may be of a form that nobody foresaw, so it is not opened: the members that make
// an outcome are looked for in the text, however often its quotes were escaped.
func isEcho(text []byte) bool {
	marks := outcomeMarks()
	if marks.eventType.Match(text) {
		return true
	}
	for _, member := range marks.data {
		if !member.Match(text) {
			return false
		}
	}
	return true
}

// marks are what an outcome is known by: the type of the event, or all of these members of its data.
type marks struct {
	eventType *regexp.Regexp
	data      []*regexp.Regexp
}

// outcomeMarks compiles the marks when they are first needed, which is seldom.
var outcomeMarks = sync.OnceValue(func() marks {
	statuses := make([]string, len(published))
	for i, s := range published {
		statuses[i] = string(s)
	}
	const colon = `\\*"(?:\s|\\+[nrt])*:(?:\s|\\+[nrt])*`
	oneOf := "(?:" + strings.Join(statuses, "|") + ")"
	return marks{
		eventType: regexp.MustCompile(`type` + colon + `\\*"` + regexp.QuoteMeta(deletion.TypePrefix) + oneOf + `\.v1\\*"`),
		data: []*regexp.Regexp{
			regexp.MustCompile(`"status` + colon + `\\*"` + oneOf + `\\*"`), regexp.MustCompile(`"request_id` + colon), regexp.MustCompile(`"project_id` + colon),
		},
	}
})

// isOutcomeType reports whether a type is one of ours.
func isOutcomeType(eventType string) bool {
	for _, status := range published {
		if eventType == deletion.EventType(status) {
			return true
		}
	}
	return false
}

// judge leaves alone what is no request because it is an outcome event of ours.
func judge(c content, text []byte) content {
	for i := range c.requests {
		if c.requests[i].Err == nil {
			return c
		}
	}
	if !isEcho(text) {
		return c
	}
	return content{list: c.list, echo: c.requests[0].Err.Message}
}
