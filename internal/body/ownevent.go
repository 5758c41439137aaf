package body

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/strictjson"
)

// published are the statuses whose events are published.
var published = []deletion.Status{
	deletion.Accepted, deletion.Unconfirmed, deletion.NotFound, deletion.Rejected, deletion.Simulated,
	deletion.Abandoned, deletion.Completed, deletion.Failed,
}

// maxEncodings is how many encodings are undone, one inside the other.
const maxEncodings = 2

// isOwnEvent reports whether a text that is no request is an own outcome event, or the data of one, in
// whatever wrapping. Rejecting it would publish another event, which would come back the same way: a
// loop without end.
//
// The wrapping may be unknown, so it is not opened: the type of the event, or the three members that the
// data of every outcome has, are searched for in the text, however often its quotes were escaped, and in what
// the text holds in that many layers of base64 or percent-encoding.
func isOwnEvent(text []byte, encodings int) bool {
	text = plainEscapes(text)
	p := patterns()
	if p.eventType.Match(text) || (p.status.Match(text) && p.requestID.Match(text) && p.projectID.Match(text)) {
		return true
	}
	if encodings == 0 {
		return false
	}
	if bytes.Contains(text, []byte("%22")) {
		if plain, err := url.PathUnescape(string(text)); err == nil && isOwnEvent([]byte(plain), encodings-1) {
			return true
		}
	}
	return slices.ContainsFunc(base64Runs().FindAll(text, -1), func(run []byte) bool {
		plain, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(string(run)))
		return err == nil && isOwnEvent(plain, encodings-1)
	})
}

// base64Runs finds what may be base64 and is long enough for an outcome.
var base64Runs = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[A-Za-z0-9+/_-]{64,}`) })

// escapes finds the escapes of characters in JSON, however often they were escaped themselves.
var escapes = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\\+u00[2-7][0-9A-Fa-f]`) })

// plainEscapes replaces the escapes of ASCII characters: some writers escape every quote so.
func plainEscapes(text []byte) []byte {
	if !bytes.Contains(text, []byte(`\u00`)) {
		return text
	}
	return escapes().ReplaceAllFunc(text, func(escape []byte) []byte {
		code, _ := strconv.ParseUint(string(escape[len(escape)-2:]), 16, 8) // two digits, by the pattern
		return []byte{byte(code)}
	})
}

// outcomePatterns find the type of an outcome event, and the members of its data, in a text.
type outcomePatterns struct{ eventType, status, requestID, projectID *regexp.Regexp }

// patterns compiles the patterns when they are first needed: most processes never need them.
var patterns = sync.OnceValue(func() outcomePatterns {
	statuses := make([]string, len(published))
	for i, s := range published {
		statuses[i] = string(s)
	}
	const colon = `\\*"(?:\s|\\+[nrt])*:(?:\s|\\+[nrt])*`
	status := `\\*"(?:` + strings.Join(statuses, "|") + `)\\*"`
	eventType := `\\*"` + regexp.QuoteMeta(deletion.TypePrefix) + "(?:" + strings.Join(statuses, "|") + `)\.v1\\*"`
	return outcomePatterns{
		regexp.MustCompile(`type` + colon + eventType), regexp.MustCompile(`"status` + colon + status),
		regexp.MustCompile(`"request_id` + colon), regexp.MustCompile(`"project_id` + colon),
	}
})

// isOutcomeType reports whether a type is that of an outcome event.
func isOutcomeType(eventType string) bool {
	return slices.ContainsFunc(published, func(s deletion.Status) bool { return eventType == deletion.EventType(s) })
}

// dropOwnEvents drops what is no request because it is an own outcome event. The members are those of
// the text if it is an object; none otherwise.
func dropOwnEvents(c Content, text []byte, members strictjson.Object) Content {
	isValid := func(r deletion.Request) bool { return r.Err == nil }
	if len(c.Requests) == 0 || slices.ContainsFunc(c.Requests, isValid) || !isOwnEvent(withoutMetadata(text, members), maxEncodings) {
		return c
	}
	return Content{List: c.List, OwnEventReason: c.Requests[0].Err.Message}
}

// withoutMetadata returns a text without the metadata of the request in it, which may quote anything,
// for example the outcome of an earlier request.
func withoutMetadata(text []byte, members strictjson.Object) []byte {
	detail := members.Object("detail")
	for _, o := range []strictjson.Object{members, members.Object("data"), detail, detail.Object("data")} {
		if metadata, ok := o.Get("metadata"); ok && namesBackup(o) {
			return bytes.Replace(text, metadata, []byte("{}"), 1)
		}
	}
	return text
}
