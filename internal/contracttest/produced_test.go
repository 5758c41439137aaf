package contracttest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"dds-backup-delete/internal/contracttest"
)

// The schemas of what this program produces are tested exactly: a document with all its members
// is valid, and every document that differs from it in one step is not.

const dataError = `"error":{"class":"undelivered","code":"DBS.1","message":"why","http_status":400,"dds_request_id":"d"`

// outcomes has an outcome for each status that a caller can get.
var outcomes = map[string]string{
	"accepted":    `{"request_id":"m","project_id":"p","backup_id":"a","job_id":"j","status":"accepted"` + later + `}`,
	"unconfirmed": `{"request_id":"m","project_id":"p","backup_id":"a","status":"unconfirmed"` + later + `,` + ofClass("unavailable") + `}}`,
	"not_found":   `{"request_id":"m","project_id":"p","backup_id":"a","status":"not_found"` + later + `,` + ofClass("not_found") + `}}`,
	"rejected":    `{"request_id":"m","project_id":"p","backup_id":"a","status":"rejected"` + later + `,` + ofClass("invalid") + `,"rule":"expired"}}`,
	"simulated":   `{"request_id":"m","project_id":"p","backup_id":"a","status":"simulated"}`,
	"retry":       `{"request_id":"m","project_id":"p","backup_id":"a","job_id":"j","status":"retry",` + dataError + `,"retry_after":15}}`,
}

// later are members of an outcome of a later attempt that comes from the ledger.
const later = `,"attempt":2,"replayed":true`

// ends has the data of events that no caller gets.
var ends = map[string]string{
	"abandoned": `{"request_id":"m","project_id":"p","backup_id":"a","status":"abandoned","attempt":2,"tries":10,"since":"2026-11-26T18:00:00.123Z",` + ofClass("forbidden") + `}}`,
	"completed": `{"request_id":"m","project_id":"p","backup_id":"a","job_id":"j","status":"completed","attempt":1,"seconds":61,"size_kb":0.5,"instance_id":"i","instance_name":"n"}`,
	"failed": `{"request_id":"m","project_id":"p","backup_id":"a","job_id":"j","status":"failed","attempt":1,"instance_id":"i","instance_name":"n",` +
		`"reason":"still_there","error":{"class":"conflict","message":"why"}}`,
}

// published returns the data of an event, by its status.
func published(status string) string {
	if text, ok := ends[status]; ok {
		return text
	}
	return strings.Replace(outcomes[status], `,"replayed":true`, ``, 1) // a repeat is the same event
}

func ofClass(class string) string { return strings.Replace(dataError, "undelivered", class, 1) }

// may says for each status which classes its error can have and which members may be missing.
var may = map[string]struct{ classes, lack []string }{
	"accepted":    {nil, laterMembers},
	"unconfirmed": {[]string{"unavailable"}, slices.Concat(laterMembers, ddsMembers)},
	"not_found":   {[]string{"not_found"}, slices.Concat(laterMembers, ddsMembers)},
	"rejected":    {[]string{"invalid"}, slices.Concat([]string{"backup_id", "rule"}, laterMembers, ddsMembers)},
	"retry":       {classes[2:], append([]string{"backup_id", "job_id"}, ddsMembers...)},
	"abandoned":   {classes[2:], append([]string{"attempt"}, ddsMembers...)},
	"completed":   {nil, []string{"job_id", "seconds", "size_kb", "instance_id", "instance_name"}},
	"failed":      {[]string{"conflict"}, []string{"job_id", "instance_id", "instance_name"}},
}

var (
	laterMembers = []string{"attempt", "replayed"}
	ddsMembers   = []string{"code", "http_status", "dds_request_id"}
	classes      = []string{"invalid", "not_found", "forbidden", "unauthenticated", "conflict", "unknown", "throttled", "unavailable", "undelivered", "internal"}
)

func TestOutcomes(t *testing.T) {
	for status, text := range outcomes {
		t.Run(status, func(t *testing.T) {
			schemas := []string{"outcome.json", "outcome.json#/$defs/" + status}
			for other := range outcomes {
				want(t, "outcome.json#/$defs/"+other, decode(t, text), other == status)
			}
			for _, schema := range schemas {
				want(t, schema, []any{}, false)
				if may[status].classes == nil {
					want(t, schema, with(decode(t, text), "error", decode(t, outcomes["unconfirmed"])["error"]), false)
				} else if status != "retry" {
					want(t, schema, decode(t, strings.Replace(text, `}}`, `,"retry_after":15}}`, 1)), false)
				}
				checkSteps(t, schema, text, func(step, member string) bool {
					return step == without && slices.Contains(may[status].lack, member) || status == "retry" && step == empty && member == "project_id"
				})
				for other := range outcomes {
					want(t, schema, with(decode(t, text), "status", other), other == status)
				}
				for _, class := range append(classes, "other") {
					outcome := decode(t, text)
					delete(outcome, "job_id")
					if e, ok := outcome["error"].(map[string]any); ok {
						e["class"] = class
						want(t, schema, outcome, slices.Contains(may[status].classes, class))
						want(t, schema, with(outcome, "job_id", "j"), status == "retry" && class == "undelivered")
					}
				}
			}
		})
	}
	for _, project := range []string{"p/q", strings.Repeat("p", 65)} {
		want(t, "outcome.json", with(decode(t, outcomes["accepted"]), "project_id", project), false)
	}
	for _, status := range []string{"99", "600", "400.5"} {
		want(t, "outcome.json", decode(t, strings.Replace(outcomes["retry"], "400", status, 1)), false)
	}
	for _, status := range []string{"simulated", "retry"} {
		want(t, "outcome.json", with(decode(t, outcomes[status]), "attempt", 2), false)
		want(t, "outcome.json", with(decode(t, outcomes[status]), "replayed", true), status == "retry") // it is an undelivered one
	}
	conflict := strings.Replace(strings.Replace(outcomes["retry"], "undelivered", "conflict", 1), `"job_id":"j",`, ``, 1)
	want(t, "outcome.json", decode(t, conflict), true)
	want(t, "outcome.json", with(decode(t, conflict), "replayed", true), false)
	for name, value := range map[string]any{"attempt": 1, "replayed": false} {
		want(t, "outcome.json", with(decode(t, outcomes["accepted"]), name, value), false)
	}
	for _, status := range []string{"unconfirmed", "not_found", "retry"} {
		want(t, "outcome.json", decode(t, strings.Replace(outcomes[status], `"message"`, `"rule":"expired","message"`, 1)), false)
	}
	for status, text := range ends { // no caller gets one
		want(t, "outcome.json", decode(t, text), false)
		want(t, "outcome.json#/$defs/"+status, decode(t, text), true)
	}
	for _, seconds := range []string{"0", "1.5"} {
		want(t, "outcome.json", decode(t, strings.Replace(outcomes["retry"], "15}", seconds+"}", 1)), false)
	}
}

func outcomeEvent(status string) string {
	return `{"specversion":"1.0","id":"0a25ebd72c2d2e682815914c9b1e9409","source":"urn:huaweicloud:dds:cn-north-4:p",` +
		`"type":"dds.backup.deletion.` + status + `.v1","subject":"a","datacontenttype":"application/json",` +
		`"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",` +
		`"authtype":"user","authid":"arn:aws:iam::123456789012:user/dba","authclaimed":true,"data":` + published(status) + `}`
}

func TestOutcomeEvents(t *testing.T) {
	want(t, "outcome-event.json", decode(t, outcomeEvent("retry")), false)
	statuses := slices.AppendSeq(slices.Collect(maps.Keys(ends)), maps.Keys(outcomes))
	for _, status := range statuses {
		if status == "retry" {
			continue
		}
		t.Run(status, func(t *testing.T) {
			for _, schema := range []string{"outcome-event.json", "outcome-event.json#/$defs/" + status} {
				want(t, schema, []any{}, false)
				checkSteps(t, schema, outcomeEvent(status), func(step, member string) bool {
					return step == without && (slices.Contains([]string{"traceparent", "authid", "authclaimed"}, member) ||
						member != "backup_id" && slices.Contains(may[status].lack, member))
				})
				for _, other := range statuses {
					event := decode(t, outcomeEvent(status))
					want(t, schema, with(event, "type", "dds.backup.deletion."+other+".v1"), other == status)
					event = decode(t, outcomeEvent(status))
					want(t, schema, with(event, "data", decode(t, published(other))), other == status)
				}
				event := decode(t, outcomeEvent(status))
				want(t, schema, with(event, "data", with(decode(t, published(status)), "replayed", true)), false)
				for _, member := range []string{"authid", "authclaimed"} { // an event that does not know who asked has none of the three
					delete(event, member)
					want(t, schema, event, true)
				}
				delete(event, "authtype")
				want(t, schema, event, true)
				for name, values := range map[string][]string{
					"specversion":     {"1.1"},
					"id":              {"0a25", "0A25EBD72C2D2E682815914C9B1E9409"},
					"source":          {"urn:huaweicloud:dds:p", "urn:huaweicloud:dds:cn-north-4:", "urn:huaweicloud:dds:CN:p", "dds-backup-delete"},
					"type":            {"dds.backup.deletion." + status + ".v2"},
					"subject":         {"a/b"},
					"datacontenttype": {"text/plain"},
					"traceparent":     {"00"},
					"authtype":        {"root"},
				} {
					for _, value := range values {
						want(t, schema, with(decode(t, outcomeEvent(status)), name, value), false)
					}
				}
				want(t, schema, with(decode(t, outcomeEvent(status)), "source", "urn:huaweicloud:dds::p"), true)
			}
		})
	}
	rejected := decode(t, strings.Replace(outcomeEvent("rejected"), `"backup_id":"a",`, ``, 1))
	want(t, "outcome-event.json", rejected, false)
	delete(rejected, "subject")
	want(t, "outcome-event.json", rejected, true)
}

// What the data of an end may be.
func TestEnds(t *testing.T) {
	for _, tc := range []struct {
		status, member string
		value          any
		ok             bool
	}{
		{"abandoned", "tries", 1, true},
		{"abandoned", "tries", 0, false},
		{"abandoned", "attempt", 1, false},
		{"abandoned", "job_id", "j", false},
		{"abandoned", "since", "2026-11-26T18:00:00Z", true},
		{"abandoned", "since", "2026-11-26T18:00:00+01:00", true},
		{"abandoned", "since", "2026-11-26 18:00:00Z", false},
		{"abandoned", "since", "2026-11-26T18:00:00", false},
		{"abandoned", "project_id", strings.Repeat("p", 65), false},
		{"completed", "attempt", 0, false},
		{"completed", "attempt", 2, true},
		{"completed", "seconds", 0, false},
		{"completed", "seconds", 1.5, false},
		{"completed", "size_kb", 0, false},
		{"completed", "reason", "still_there", false},
		{"completed", "error", decode(t, ends["failed"])["error"], false},
		{"failed", "reason", "job_failed", true},
		{"failed", "reason", "not_deleted", true},
		{"failed", "reason", "other", false},
		{"failed", "seconds", 61, false},
		{"failed", "size_kb", 1, false},
	} {
		text, err := json.Marshal(with(decode(t, ends[tc.status]), tc.member, tc.value))
		if err != nil {
			t.Fatal(err)
		}
		if err := contracttest.Valid("outcome.json#/$defs/"+tc.status, text); (err == nil) != tc.ok {
			t.Errorf("%s with %s: %v, want valid: %v", tc.status, tc.member, err, tc.ok)
		}
	}
	withoutJob := decode(t, strings.Replace(ends["failed"], `"job_id":"j",`, ``, 1))
	want(t, "outcome.json#/$defs/failed", withoutJob, true)
	want(t, "outcome.json#/$defs/failed", with(withoutJob, "reason", "job_failed"), false)
	for status := range ends {
		for _, class := range append(classes, "other") {
			outcome := decode(t, ends[status])
			if e, ok := outcome["error"].(map[string]any); ok {
				e["class"] = class
				want(t, "outcome.json#/$defs/"+status, outcome, slices.Contains(may[status].classes, class))
				want(t, "outcome.json#/$defs/"+status, with(outcome, "error", with(e, "retry_after", 5)), false)
			}
		}
	}
	for _, member := range append(ddsMembers, "rule") { // the error of a failed deletion has a class and a message
		outcome := decode(t, ends["failed"])
		want(t, "outcome.json#/$defs/failed", with(outcome, "error", with(outcome["error"].(map[string]any), member, decode(t, "{"+dataError+"}}")["error"].(map[string]any)[member])), false) //nolint:forcetypeassert // a test
	}
}

// problems lists the classes for each HTTP status; "" means that there is no class.
var problems = map[int][]string{
	400: {"", "invalid"}, 403: {"forbidden"}, 404: {"", "not_found"}, 405: {""}, 409: {"conflict"}, 413: {""}, 415: {""},
	429: {"throttled"}, 500: {"internal"}, 502: {"unauthenticated", "unknown"}, 503: {"unavailable", "undelivered"}, 504: {}, 200: {},
}

func TestProblems(t *testing.T) {
	for status, fits := range problems {
		for _, class := range append(classes, "", "other") {
			p := map[string]any{"title": http.StatusText(status), "status": status, "detail": "why", "class": class}
			if class == "" {
				delete(p, "class")
			}
			ok := slices.Contains(fits, class)
			again := ok && class != "" && class != "invalid" && class != "not_found"
			want(t, "problem.json", p, ok)
			want(t, "problem.json", with(p, "job_id", "j"), ok && class == "undelivered")
			want(t, "problem.json", with(p, "replayed", true), ok && slices.Contains([]string{"invalid", "not_found", "undelivered"}, class))
			want(t, "problem.json", with(p, "results", []any{decode(t, outcomes["retry"])}), again)
			for other := range problems {
				want(t, "problem.json", with(p, "title", http.StatusText(other)), ok && other == status)
			}
		}
	}
	all := `{"title":"Service Unavailable","status":503,"detail":"why","class":"undelivered","code":"DBS.1","request_id":"m",` +
		`"backup_id":"a","job_id":"j","dds_request_id":"d","results":[` + outcomes["accepted"] + `]}`
	checkSteps(t, "problem.json", all, func(step, member string) bool {
		return step == without && slices.Contains([]string{"code", "request_id", "backup_id", "job_id", "dds_request_id", "results"}, member)
	})
	for name, value := range map[string]any{"results": []any{}, "type": "about:blank", "backup_id": "a/b"} {
		want(t, "problem.json", with(decode(t, all), name, value), false)
	}
	want(t, "problem.json", with(decode(t, all), "results", []any{map[string]any{}}), false)
	want(t, "problem.json", []any{}, false)
}

// The steps that change a document.
const (
	without = "without"
	empty   = "empty"
	typed   = "of another type"
	more    = "more"
)

// checkSteps checks that a schema accepts a document, and after any one step accepts it only if ok
// says so.
func checkSteps(t *testing.T, schema, text string, ok func(step, member string) bool) {
	t.Helper()
	document := decode(t, text)
	want(t, schema, document, true)
	try := func(step, member string) {
		t.Helper()
		want(t, schema, document, ok(step, member))
	}
	var stepAll func(object map[string]any)
	stepAll = func(object map[string]any) {
		object[more] = 5
		try(more, more)
		delete(object, more)
		for member, value := range maps.Clone(object) {
			delete(object, member)
			try(without, member)
			object[member] = 5
			if _, number := value.(float64); number {
				object[member] = "5"
			}
			try(typed, member)
			object[member] = ""
			try(empty, member)
			object[member] = value
			if inner, is := value.(map[string]any); is {
				stepAll(inner)
			}
		}
	}
	stepAll(document)
}

func want(t *testing.T, schema string, document any, ok bool) {
	t.Helper()
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if err := contracttest.Valid(schema, text); (err == nil) != ok {
		t.Errorf("%s: fits %t, want %t: %s\n%v", schema, err == nil, ok, text, err)
	}
}

func decode(t *testing.T, text string) (object map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// with returns a copy of an object with one member set.
func with(object map[string]any, name string, value any) map[string]any {
	object = maps.Clone(object)
	object[name] = value
	return object
}
