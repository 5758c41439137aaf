package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dds-backup-delete/internal/dds/ddstest"
)

// queued is a message of Amazon SQS that asks for a deletion, received so many times.
func queued(backupID string, receives int) []byte {
	return fmt.Appendf(nil, `{"Records":[{"messageId":"m","receiptHandle":"r","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-central-1:123456789012:requests","attributes":{"ApproximateReceiveCount":"%d"},"body":"{\"backup_id\":\"%s\"}"}]}`, receives, backupID)
}

// outcome returns the last outcome line of the log.
func (w *world) outcome(t *testing.T) (line map[string]any) {
	t.Helper()
	for text := range strings.Lines(w.function.Stdout()) {
		var entry map[string]any
		if json.Unmarshal([]byte(text), &entry) == nil && entry["message"] == "outcome" {
			line = entry
		}
	}
	return line
}

// A code that no table names for it ends no request: the message goes back to its queue, for five
// minutes growing to an hour, and no event goes out. The log has the code.
func TestAnswersThatAreNotFinal(t *testing.T) {
	for _, tc := range []struct {
		status      int
		code, class string
		http        int
	}{
		{400, "DBS.999999", "unknown", 502},
		{404, "DBS.999999", "unknown", 502},
		{403, "DBS.999999", "unknown", 502},
		{409, "DBS.999999", "unknown", 502},
		{400, "DBS.280439", "unknown", 502}, // published, but of another call
		{404, "DBS.212001", "unknown", 502},
		{400, "APIGW.9999", "unknown", 502},
		{404, "RDS.0001", "unknown", 502},
		{403, "DBS.280042", "conflict", 409},
		{400, "DBS.280343", "conflict", 409},
		{400, "DBS.239037", "conflict", 409},
		{400, "DBS.200054", "conflict", 409},
		{409, "DBS.01010337", "conflict", 409},
	} {
		t.Run(fmt.Sprint(tc.status, " ", tc.code), func(t *testing.T) {
			w := start(t, nil)
			w.dds.Inject(ddstest.Answer(tc.status, tc.code, "why").On(http.MethodDelete).Repeat(-1))
			for receives, want := range map[int]int{1: 300, 2: 600, 3: 1200, 4: 2400, 5: 3600, 9: 3600} {
				got := w.invoke(t, queued(sample(0), receives))
				if got.Err != nil || string(got.Payload) != `{"batchItemFailures":[{"itemIdentifier":"m"}]}` || w.queue.of("r") != want {
					t.Errorf("receive %d: %s, error %v, hidden for %d seconds, want %d", receives, got.Payload, got.Err, w.queue.of("r"), want)
				}
			}
			name := "DDS." + strings.ToUpper(tc.class[:1]) + tc.class[1:]
			if got := w.invoke(t, []byte(`{"backup_id":"`+sample(1)+`"}`)); got.Err == nil || got.Err.Type != name {
				t.Errorf("a direct call: %v, want %s", got.Err, name)
			}
			if line := w.outcome(t); line["class"] != tc.class || line["code"] != tc.code || line["http_status"] != float64(tc.status) {
				t.Errorf("line %v", line)
			}
			api, err := os.ReadFile("../../events/apigateway-http-delete.json")
			if err != nil {
				t.Fatal(err)
			}
			got := w.invoke(t, replaceID(api, firstBackup(t, api), sample(2)))
			if got.Err != nil || !strings.Contains(string(got.Payload), fmt.Sprintf(`"statusCode":%d`, tc.http)) || !strings.Contains(string(got.Payload), `"Retry-After":"300"`) {
				t.Errorf("HTTP: %s, error %v, want %d", got.Payload, got.Err, tc.http)
			}
			if events := w.events(t); len(events) != 0 {
				t.Errorf("events %v", events)
			}
		})
	}
}

// What is not the key's fault does not hold the next request back; a refusal of the key does.
func TestWhatClosesTheKeyLock(t *testing.T) {
	for name, tc := range map[string]struct {
		fault  ddstest.Fault
		closes bool
	}{
		"the gateway's refusal": {ddstest.Answer(401, "APIGW.0301", "verify aksk signature fail"), true},
		"IAM's 401":             {ddstest.RawAnswer(401, "application/json", `{"error":{"code":401,"title":"Unauthorized","message":"no"}}`), true},
		"the token":             {ddstest.Answer(401, "DBS.280056", "Invalid token."), false},
		"a token to be renewed": {ddstest.Answer(401, "APIG.0307", "The token must be updated."), false},
		"a proxy's 401":         {ddstest.RawAnswer(401, "text/html", "<html>log in</html>"), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, nil)
			w.dds.Inject(tc.fault)
			if got := w.invoke(t, []byte(`{"backup_id":"`+sample(0)+`"}`)); got.Err == nil || got.Err.Type != "DDS.Unauthenticated" {
				t.Errorf("error %v, want DDS.Unauthenticated", got.Err)
			}
			got := w.invoke(t, []byte(`{"backup_id":"`+sample(1)+`"}`))
			if closed := got.Err != nil && got.Err.Type == "DDS.Unauthenticated"; closed != tc.closes {
				t.Errorf("the next request: %s, error %v", got.Payload, got.Err)
			}
		})
	}
}

// The clock of the real binary is right, so that of DDS is wrong here.
func TestAWrongClockDeletes(t *testing.T) {
	w := start(t, nil)
	for i, skew := range []time.Duration{20 * time.Minute, 20 * time.Minute, -time.Hour} {
		w.dds.SetSkew(skew)
		if got := w.invoke(t, []byte(`{"backup_id":"`+sample(i)+`"}`)); got.Err != nil || !strings.Contains(string(got.Payload), `"accepted"`) {
			t.Errorf("%v: %s, error %v", skew, got.Payload, got.Err)
		}
	}
	deletes := slices.DeleteFunc(w.dds.Calls(), func(c ddstest.Call) bool { return c.Method != http.MethodDelete })
	if len(deletes) != 5 {
		t.Errorf("%d calls, want one more for each change of the clock", len(deletes))
	}
}

func TestJobIDs(t *testing.T) {
	for body, want := range map[string]string{
		`{"job_id":3711}`:  `"job_id":"3711","status":"accepted"`,
		`{"job_id":"  "}`:  `"status":"unconfirmed"`,
		`{"job_id":null}`:  `"status":"unconfirmed"`,
		`{"job_id":false}`: `"status":"unconfirmed"`,
	} {
		t.Run(body, func(t *testing.T) {
			w := start(t, nil)
			w.dds.Inject(ddstest.AnswerAfter(200, "application/json", body))
			if got := w.invoke(t, []byte(`{"backup_id":"`+sample(0)+`"}`)); got.Err != nil || !strings.Contains(string(got.Payload), want) {
				t.Errorf("%s, error %v, want %s", got.Payload, got.Err, want)
			}
		})
	}
}

// An incremental backup is not visible by its id, so with REQUIRE_MANUAL it seems not to be there.
func TestRequireManualSpeaksOfIncrementalBackups(t *testing.T) {
	w := start(t, nil, "REQUIRE_MANUAL=true")
	w.dds.Add(ddstest.Backup{ID: "incremental", Type: "Incremental"})
	got := w.invoke(t, []byte(`{"backup_id":"incremental"}`))
	if got.Err == nil || got.Err.Type != "DDS.NotFound" || !strings.Contains(got.Err.Message, "incremental") {
		t.Errorf("error %v", got.Err)
	}
	if !slices.Equal(w.events(t), []string{"not_found incremental"}) {
		t.Errorf("events %v", w.events(t))
	}
}
