package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/dds/ddstest"
)

// message is a batch of one message of a queue that asks for a backup.
func message(id, backup string) []byte {
	return []byte(fmt.Sprintf(`{"Records":[{"messageId":%q,"eventSource":"aws:sqs","body":"{\"backup_id\":\"%s\"}"}]}`, id, backup))
}

// deletes counts the DELETE calls that reached DDS.
func (w *world) deletes() (n int) {
	for _, call := range w.dds.Calls() {
		if call.Method == http.MethodDelete {
			n++
		}
	}
	return n
}

// With DRY_RUN nothing is deleted, no outcome of a dry run is remembered, and with REQUIRE_MANUAL the
// look-up says what a deletion would meet.
func TestDryRun(t *testing.T) {
	for _, manual := range []string{"true", "false"} {
		t.Run("REQUIRE_MANUAL="+manual, func(t *testing.T) {
			w := start(t, nil, "DRY_RUN=true", "REQUIRE_MANUAL="+manual)
			for range 2 { // the second is the very same message: nothing is replayed
				for i, backup := range []string{sample(0), none} {
					if got := string(w.invoke(t, message(fmt.Sprint("m", i), backup)).Payload); got != `{"batchItemFailures":[]}` {
						t.Errorf("reply %s", got)
					}
				}
			}
			want := []string{"simulated " + none, "simulated " + none, "simulated " + sample(0), "simulated " + sample(0)}
			if manual == "true" {
				want = []string{"not_found " + none, "not_found " + none, "simulated " + sample(0), "simulated " + sample(0)}
			}
			if diff := cmp.Diff(want, w.events(t)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			contents := make(map[string]string)
			for _, e := range w.bus.Taken() {
				var id struct{ ID string }
				if err := json.Unmarshal([]byte(e.Detail), &id); err != nil {
					t.Fatal(err)
				}
				if before, seen := contents[id.ID]; seen && before != e.Detail {
					t.Errorf("two events of one id:\n%s\n%s", before, e.Detail)
				}
				contents[id.ID] = e.Detail
			}
			w.end(t)
			if strings.Contains(w.function.Stdout(), `"replayed":true`) {
				t.Error("a dry run was replayed")
			}
			if n := w.deletes(); n != 0 {
				t.Errorf("%d DELETE calls", n)
			}
		})
	}
}

// A dry run takes no part in what the ledger does: the real request after it starts the deletion, and a
// dry run of a finished backup publishes no accepted.
func TestDryRunOfOneRequest(t *testing.T) {
	w := start(t, nil)
	dry := func(value string) []byte {
		return []byte(`{"backup_id":"` + sample(0) + `","dry_run":` + value + `}`)
	}
	for _, step := range []struct {
		payload []byte
		status  string
	}{
		{dry("true"), "simulated"},
		{dry("false"), "accepted"},
		{dry("true"), "simulated"},
		{dry("false"), "accepted"}, // replayed
	} {
		var got struct{ Status string }
		result := w.invoke(t, step.payload)
		if err := json.Unmarshal(result.Payload, &got); err != nil || got.Status != step.status {
			t.Errorf("%s: %s, error %v, want %s", step.payload, result.Payload, result.Err, step.status)
		}
	}
	if n := w.deletes(); n != 1 {
		t.Errorf("%d DELETE calls", n)
	}

	overruled := start(t, nil, "DRY_RUN=true")
	overruled.invoke(t, dry("false"))
	if diff := cmp.Diff([]string{"simulated " + sample(0)}, overruled.events(t)); diff != "" || overruled.deletes() != 0 {
		t.Errorf("dry_run: false overruled DRY_RUN: %s", diff)
	}
}

// Every line is JSON and below what CloudWatch takes, whatever comes in; a function error is no plain
// text beside them.
func TestLinesOfLongThings(t *testing.T) {
	w := start(t, nil)
	w.dds.Inject(ddstest.Answer(400, "DBS.200001", strings.Repeat("\x01\"", 200_000)).For(sample(1)))
	long := strings.Repeat(`\u2028`, 600_000)
	id := strings.Repeat(`\"`, 1024)
	for _, payload := range []string{
		`{"` + long + `":1}`,
		`{"backup_id":"` + long + `"}`,
		`{"backup_id":"` + sample(0) + `","region":"` + long + `"}`,
		`[{"backup_id":"` + long + `"},{"` + long[:6*200_000] + `":1}]`,
		`{"Records":[{"messageId":"` + id + `","eventSource":"aws:sqs","eventSourceARN":"` + long + `","body":"{\"backup_id\":\"` + sample(2) + `\"}"}]}`,
		`{"specversion":"1.0","id":"` + id + `","source":"s","type":"dds.backup.deletion.requested.v1","data":{"backup_id":"` + sample(0) + `"}}`,
		`{"backup_id":"` + sample(1) + `"}`,
	} {
		w.invoke(t, []byte(payload))
	}
	w.end(t)
	jobs := 0
	for line := range strings.Lines(w.function.Stdout() + w.function.Stderr()) {
		if len(line) > 256<<10-26 || !json.Valid([]byte(line)) {
			t.Errorf("a line of %d bytes: %.300s", len(line), line)
		}
		if strings.Contains(line, `"message":"job started"`) {
			jobs++
		}
	}
	if want := len(w.dds.Jobs()); jobs != want || want == 0 {
		t.Errorf("%d job ids in the log, want %d", jobs, want)
	}
}
