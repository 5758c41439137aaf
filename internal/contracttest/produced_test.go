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

// outcomes has an outcome for each status.
var outcomes = map[string]string{
	"accepted":    `{"request_id":"m","project_id":"p","backup_id":"a","job_id":"j","status":"accepted"}`,
	"unconfirmed": `{"request_id":"m","project_id":"p","backup_id":"a","status":"unconfirmed",` + ofClass("unavailable") + `}}`,
	"not_found":   `{"request_id":"m","project_id":"p","backup_id":"a","status":"not_found",` + ofClass("not_found") + `}}`,
	"rejected":    `{"request_id":"m","project_id":"p","backup_id":"a","status":"rejected",` + ofClass("invalid") + `}}`,
	"simulated":   `{"request_id":"m","project_id":"p","backup_id":"a","status":"simulated"}`,
	"retry":       `{"request_id":"m","project_id":"p","backup_id":"a","job_id":"j","status":"retry",` + dataError + `,"retry_after":15}}`,
}

func ofClass(class string) string { return strings.Replace(dataError, "undelivered", class, 1) }

// may says for each status which classes its error can have and which members may be missing.
var may = map[string]struct{ classes, lack []string }{
	"unconfirmed": {[]string{"unavailable"}, ddsMembers},
	"not_found":   {[]string{"not_found"}, ddsMembers},
	"rejected":    {[]string{"invalid"}, append([]string{"backup_id"}, ddsMembers...)},
	"retry":       {classes[2:], append([]string{"backup_id", "job_id"}, ddsMembers...)},
}

var (
	ddsMembers = []string{"code", "http_status", "dds_request_id"}
	classes    = []string{"invalid", "not_found", "forbidden", "unauthenticated", "conflict", "unknown", "throttled", "unavailable", "undelivered", "internal"}
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
				if may[status].lack == nil {
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
	// A reply may say that an outcome is an earlier one. An event never does.
	want(t, "outcome.json", with(decode(t, outcomes["accepted"]), "replayed", true), true)
	want(t, "outcome.json", with(decode(t, outcomes["accepted"]), "replayed", false), false)
	replayed := with(decode(t, outcomeEvent("accepted")), "data", with(decode(t, outcomes["accepted"]), "replayed", true))
	want(t, "outcome-event.json", replayed, false)
	for _, project := range []string{"p/q", strings.Repeat("p", 65)} {
		want(t, "outcome.json", with(decode(t, outcomes["accepted"]), "project_id", project), false)
	}
	for _, status := range []string{"99", "600", "400.5"} {
		want(t, "outcome.json", decode(t, strings.Replace(outcomes["retry"], "400", status, 1)), false)
	}
	for _, seconds := range []string{"0", "1.5"} {
		want(t, "outcome.json", decode(t, strings.Replace(outcomes["retry"], "15}", seconds+"}", 1)), false)
	}
}

func outcomeEvent(status string) string {
	return `{"specversion":"1.0","id":"0a25ebd72c2d2e682815914c9b1e9409","source":"urn:huaweicloud:dds:cn-north-4:p",` +
		`"type":"dds.backup.deletion.` + status + `.v1","subject":"a","datacontenttype":"application/json",` +
		`"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","data":` + outcomes[status] + `}`
}

func TestOutcomeEvents(t *testing.T) {
	want(t, "outcome-event.json", decode(t, outcomeEvent("retry")), false)
	for status := range outcomes {
		if status == "retry" {
			continue
		}
		t.Run(status, func(t *testing.T) {
			for _, schema := range []string{"outcome-event.json", "outcome-event.json#/$defs/" + status} {
				want(t, schema, []any{}, false)
				checkSteps(t, schema, outcomeEvent(status), func(step, member string) bool {
					return step == without && (member == "traceparent" || slices.Contains(ddsMembers, member))
				})
				for other := range outcomes {
					event := decode(t, outcomeEvent(status))
					want(t, schema, with(event, "type", "dds.backup.deletion."+other+".v1"), other == status)
					event = decode(t, outcomeEvent(status))
					want(t, schema, with(event, "data", decode(t, outcomes[other])), other == status)
				}
				for name, values := range map[string][]string{
					"specversion":     {"1.1"},
					"id":              {"0a25", "0A25EBD72C2D2E682815914C9B1E9409"},
					"source":          {"urn:huaweicloud:dds:p", "urn:huaweicloud:dds:cn-north-4:", "urn:huaweicloud:dds:CN:p", "dds-backup-delete"},
					"type":            {"dds.backup.deletion." + status + ".v2"},
					"subject":         {"a/b"},
					"datacontenttype": {"text/plain"},
					"traceparent":     {"00"},
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
			want(t, "problem.json", with(p, "results", []any{decode(t, outcomes["retry"])}), again)
			for other := range problems {
				want(t, "problem.json", with(p, "title", http.StatusText(other)), ok && other == status)
			}
		}
	}
	all := `{"title":"Service Unavailable","status":503,"detail":"why","class":"undelivered","code":"DBS.1","request_id":"m",` +
		`"backup_id":"a","job_id":"j","dds_request_id":"d","replayed":true,"results":[` + outcomes["accepted"] + `]}`
	checkSteps(t, "problem.json", all, func(step, member string) bool {
		return step == without && slices.Contains([]string{"code", "request_id", "backup_id", "job_id", "dds_request_id", "replayed", "results"}, member)
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
