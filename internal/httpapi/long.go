package httpapi

import (
	"unicode/utf8"

	"dds-backup-delete/internal/deletion"
)

// leftOut is the message of a result that is shortened.
const leftOut = "left out, because the reply would be too long"

// shortResults returns the results without the words of DDS, which can have 512 bytes each. What a
// program acts on stays: ids, jobs, statuses, classes, codes and waits.
func shortResults(outcomes []deletion.Outcome) deletion.Results {
	all := deletion.ResultsOf(outcomes)
	for i := range all.Results {
		if e := all.Results[i].Error; e != nil {
			e.Message, e.DDSRequestID = leftOut, ""
			if len(e.Code) > 32 { // no code of DDS is so long, only another program's
				e.Code = ""
			}
		}
	}
	return all
}

// longestResponse bounds, in bytes, the response to a call when it is shortened. Only the ids that
// callers choose have no bound that is small enough for a thousand of them.
func longestResponse(requests []deletion.Request) int {
	const frame, most = 10_000, 600 // the problem around the results; a result without its request id
	total := frame
	for i := range requests {
		total += most + quotedTwice(requests[i].ID)
	}
	return total
}

// quotedTwice bounds, in bytes, an id in JSON that is a text in JSON, as the body of a response is in
// the event of a front.
func quotedTwice(id string) int {
	n := len(id)
	for _, c := range []byte(id) {
		switch {
		case c == '"', c == '\\':
			n += len(`\\\"`) - 1
		case c == '<', c == '>', c == '&':
			n += len(`\\u003c`) - 1
		case c >= utf8.RuneSelf: // U+2028, for example, has three such bytes and is escaped
			n += 2
		}
	}
	return n
}
