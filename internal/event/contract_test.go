package event_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dds-backup-delete/internal/contracttest"
	"dds-backup-delete/internal/event"
)

// inside returns a JSON value and all values in it, also those in texts and in base64.
func inside(value any) []any {
	found := []any{value}
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			found = append(found, inside(member)...)
		}
	case []any:
		for _, element := range v {
			found = append(found, inside(element)...)
		}
	case string:
		text := []byte(v)
		if decoded, err := base64.StdEncoding.DecodeString(v); err == nil {
			text = decoded
		}
		if len(text) > 5 && text[0] == 0 { // the prefix of a schema
			text = text[5:]
		}
		text = bytes.TrimPrefix(text, []byte("\ufeff"))
		var inner any
		if json.Valid(text) {
			numbers := json.NewDecoder(bytes.NewReader(text))
			numbers.UseNumber() // one that no float64 holds is JSON, too
			if numbers.Decode(&inner) == nil {
				found = append(found, inside(inner)...)
			}
		}
	}
	return found
}

// isID is what the service takes for an id.
var isID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// taken reports whether the decoder, and then the service, take a body for a request.
func taken(t *testing.T, body []byte) bool {
	t.Helper()
	batch, err := decode(marshal(t, sqs(string(body))))
	if err != nil || len(batch.Requests) == 0 {
		return false
	}
	for _, r := range batch.Requests {
		if r.Err != nil || !isID.MatchString(r.BackupID) {
			return false
		}
	}
	return true
}

// The published schemas take the same requests as the decoder: in every sample, and in what is
// wrong in many ways.
func TestRequestsFitTheContract(t *testing.T) {
	files, err := filepath.Glob("../../events/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	compared := map[bool]int{}
	compare := func(name, schema string, body []byte) {
		want := taken(t, body)
		compared[want]++
		if err := contracttest.Valid(schema, body); (err == nil) != want {
			t.Errorf("%s: taken for a request: %v, by %s: %v\n%s", name, want, schema, err, body)
		}
	}
	for _, file := range files {
		payload, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var whole any
		if err := json.Unmarshal(payload, &whole); err != nil {
			t.Fatal(err)
		}
		requests := 0
		for _, value := range inside(whole) {
			members, _ := value.(map[string]any)
			_, isEvent := members["specversion"]
			_, isBusEvent := members["detail-type"]
			switch {
			case isEvent:
				compare(file, "request-event.json", marshal(t, value))
			case !isBusEvent && slices.ContainsFunc([]string{"backup_id", "backups_id", "backup_ids"}, func(name string) bool { return members[name] != nil }):
				compare(file, "request.json", marshal(t, value))
			default:
				continue
			}
			requests++
		}
		if inPath := strings.Contains(file, "delete") || strings.Contains(file, "http-not-found") || strings.Contains(file, "health") || strings.Contains(file, "http-status") || strings.Contains(file, "-tick"); requests == 0 && !inPath && !strings.Contains(file, "foreign-s3") && !strings.Contains(file, "foreign-cts") {
			t.Errorf("%s: no request was found", file)
		}
	}
	for name, tc := range badBodies {
		if strings.HasPrefix(tc.body, "{") && json.Valid([]byte(tc.body)) && name != "an id twice" { // which no schema can see
			compare(name, "request.json", []byte(tc.body))
		}
	}
	for _, body := range []string{
		plain, `{"backups_id":"a"}`, `{"backup_ids":["a","b"],"project_id":"p","region":"r","metadata":{"status":1},"dry_run":true,"traceparent":"x"}`, `{"backup_id":"a","more":1}`, `{"backup_id":"a","dry_run":"true"}`,
		`{"backup_id":"a","dry_run":null}`, `{"backup_id":"a","metadata":[]}`, `{"backup_id":"a","metadata":{}}`, `{"backup_id":"a","dryRun":true}`, `{"dry_run":true}`, `{"backup_ids":[]}`, `{"backup_ids":["a",5]}`,
		`{"backup_id":"a","expires_at":"2026-12-31T18:00:00Z"}`, `{"backup_ids":["a"],"expires_at":"2026-12-31T18:00:00.123+08:00"}`, `{"backup_id":"a","expires_at":"2026-12-31"}`,
		`{"backup_id":"a","expires_at":"2026-12-31 18:00:00Z"}`, `{"backup_id":"a","expires_at":"2026-12-31T18:00:00"}`, `{"backup_id":"a","expires_at":1798740000}`, `{"backup_id":"a","expires_at":null}`, `{"backup_id":"a","expires_at":""}`,
		`{"backup_id":"a/b"}`, `{"backup_id":"a","traceparent":5}`, `{"backup_id":"a","type":null}`, `{"backup_id":"a","backup_ids":["b"]}`, `{"backup_id":"` + strings.Repeat("a", 65) + `"}`,
	} {
		compare(body, "request.json", []byte(body))
	}
	for _, body := range []string{
		cloudEvent(event.RequestType, plain), cloudEvent("x", plain), cloudEvent(event.RequestType, `{"backup_ids":["a"]}`), cloudEvent(event.RequestType, `"a"`),
		strings.Replace(cloudEvent(event.RequestType, plain), `"1.0"`, `"0.3"`, 1), strings.Replace(cloudEvent(event.RequestType, plain), `"event-7"`, `""`, 1), outcomeEvent,
		withAttributes(`"expirytime":"2026-12-31T18:00:00Z"`), withAttributes(`"expirytime":"tomorrow"`), withAttributes(`"expirytime":5`),
		strings.Replace(cloudEvent(event.RequestType, plain), "event-7", `a\u0085b`, 1), strings.Replace(cloudEvent(event.RequestType, plain), "event-7", strings.Repeat("ü", 1024), 1),
		strings.Replace(cloudEvent(event.RequestType, plain), "event-7", strings.Repeat("i", 1025), 1),
	} {
		compare(body, "request-event.json", []byte(body))
	}
	if compared[true] < 30 || compared[false] < 25 {
		t.Errorf("%d requests and %d others were compared", compared[true], compared[false])
	}
}
