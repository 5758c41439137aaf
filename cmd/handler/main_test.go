package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/lambdatest"
	"dds-backup-delete/internal/sink"
	"dds-backup-delete/internal/sink/sinktest"
)

const bus = "arn:aws:events:eu-central-1:123456789012:event-bus/outcomes"

// binary is the handler as it is deployed, but for this machine.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "handler")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "bootstrap")
	if err := lambdatest.Build(context.Background(), ".", ".", binary); err != nil {
		panic(err)
	}
	return m.Run()
}

// world is a function with all it talks to.
type world struct {
	dds      *ddstest.Server
	bus      *sinktest.EventBridge
	function *lambdatest.Function
}

// start starts the binary against a simulated DDS that has the sample backups. The variables
// in env come last, so that they win.
func start(t *testing.T, refuse func(sinktest.Entry) string, env ...string) *world {
	t.Helper()
	w := &world{dds: ddstest.NewServer(ddstest.Options{}), bus: sinktest.NewEventBridge(refuse)}
	t.Cleanup(w.dds.Close)
	t.Cleanup(w.bus.Close)
	w.dds.Add(ddstest.SampleBackups()...)
	var err error
	w.function, err = lambdatest.Start(t.Context(), lambdatest.Options{Binary: binary, Env: append([]string{
		"HUAWEICLOUD_SDK_AK=" + ddstest.AccessKey,
		"HUAWEICLOUD_SDK_SK=" + ddstest.SecretKey,
		"HUAWEICLOUD_SDK_PROJECT_ID=" + ddstest.ProjectID,
		"DDS_REGION=" + ddstest.Region,
		"DDS_ENDPOINT=" + w.dds.URL(),
		"OUTCOME_SINK=" + bus,
		"AWS_ENDPOINT_URL_EVENTBRIDGE=" + w.bus.URL,
	}, env...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.function.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the function's log:\n%s%s", w.function.Stdout(), w.function.Stderr())
		}
		if all := w.function.Stdout() + w.function.Stderr(); strings.Contains(all, ddstest.SecretKey) {
			t.Error("the secret key is in the log")
		}
	})
	return w
}

// invoke sends one payload.
func (w *world) invoke(t *testing.T, payload []byte) lambdatest.Result {
	t.Helper()
	result, err := w.function.Invoke(t.Context(), lambdatest.Invocation{Payload: payload, RequestID: "invocation"})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// end ends the function, after which its log is complete.
func (w *world) end(t *testing.T) {
	t.Helper()
	if err := w.function.Kill(); err != nil {
		t.Fatal(err)
	}
}

// events returns the types and subjects of the events on the bus, sorted.
func (w *world) events(t *testing.T) []string {
	t.Helper()
	var got []string
	for _, entry := range w.bus.Entries() {
		var e struct {
			SpecVersion, ID, Source, Type, Subject string
			Data                                   deletion.Data
		}
		if err := json.Unmarshal([]byte(entry.Detail), &e); err != nil {
			t.Fatal(err)
		}
		if e.SpecVersion != "1.0" || e.ID == "" || e.Type != entry.DetailType || entry.EventBusName != bus || entry.Source != sink.EventSource ||
			e.Source != "urn:huaweicloud:dds:"+ddstest.Region+":"+ddstest.ProjectID {
			t.Errorf("entry %+v", entry)
		}
		if accepted := e.Data.Status == deletion.Accepted; (e.Data.JobID != "") != accepted {
			t.Errorf("%s with job %q", e.Data.Status, e.Data.JobID)
		}
		got = append(got, strings.TrimSuffix(strings.TrimPrefix(e.Type, deletion.TypePrefix), ".v1")+" "+e.Subject)
	}
	slices.Sort(got)
	return got
}

const none = "00000000000000000000000000000000br02"

// samples says what comes of each file in events/.
var samples = map[string]struct {
	deleted []string // backups that are gone afterwards
	events  []string // status and subject of what went out
	reply   string   // what the source got back, job ids as JOB
	errType string   // or the type of the error
}{
	"sqs.json": {
		deleted: []string{"8d9586c40b33449a815518d4635a2cd9br02"},
		events:  []string{"accepted 8d9586c40b33449a815518d4635a2cd9br02"},
		reply:   `{"batchItemFailures":[]}`,
	},
	"sqs-batch.json": {
		deleted: []string{"0a1b2c3d4e5f46789a8b7c6d5e4f3a07br02", "96f5e4d3c2b14a0f8e7d6c5b4a392809br02", "b8c7d6e5f4a34b2c9d1e0f9a8b7c6d08br02"},
		events: []string{
			"accepted 0a1b2c3d4e5f46789a8b7c6d5e4f3a07br02", "accepted 96f5e4d3c2b14a0f8e7d6c5b4a392809br02",
			"accepted b8c7d6e5f4a34b2c9d1e0f9a8b7c6d08br02", "not_found " + none, "rejected ", "rejected ",
		},
		reply: `{"batchItemFailures":[{"itemIdentifier":"@@LAST@@"}]}`,
	},
	"sqs-own-outcome.json": {reply: `{"batchItemFailures":[]}`}, // no event: it would go round and round
	"direct.json": {
		deleted: []string{"2f0c1d7e9a4b4c1f8e55d0a3b6c7e801br02"},
		events:  []string{"accepted 2f0c1d7e9a4b4c1f8e55d0a3b6c7e801br02"},
		reply:   accepted("invocation", "2f0c1d7e9a4b4c1f8e55d0a3b6c7e801br02"),
	},
	"direct-backups-id.json": {
		deleted: []string{"5b6d3c90e1f24a77b0c98d21f4a3e602br02"},
		events:  []string{"accepted 5b6d3c90e1f24a77b0c98d21f4a3e602br02"},
		reply:   accepted("invocation", "5b6d3c90e1f24a77b0c98d21f4a3e602br02"),
	},
	"direct-not-found.json": {events: []string{"not_found " + none}, errType: "DDS.NotFound"},
	"apigateway-http-delete.json": {
		deleted: []string{"a17e4f02c8d94b3fa6f0e5d4c3b2a103br02"},
		events:  []string{"accepted a17e4f02c8d94b3fa6f0e5d4c3b2a103br02"},
		reply:   "HTTP 202 " + accepted("JKJaXmPLvHcESHA1", "a17e4f02c8d94b3fa6f0e5d4c3b2a103br02"),
	},
	"apigateway-http-delete-v3.json": {
		deleted: []string{"c40e9d8b7a6f4e5d9c3b2a1f0e9d8c04br02"},
		events:  []string{"accepted c40e9d8b7a6f4e5d9c3b2a1f0e9d8c04br02"},
		reply:   "HTTP 202 " + accepted("JKJaXmPLvHcESHA2", "c40e9d8b7a6f4e5d9c3b2a1f0e9d8c04br02"),
	},
	"apigateway-http-post.json": {
		deleted: []string{"e93b5a7c1d2f4086b7a8c9d0e1f20305br02"},
		events:  []string{"accepted e93b5a7c1d2f4086b7a8c9d0e1f20305br02"},
		reply:   "HTTP 202 " + accepted("JKJaXmPLvHcESHA3", "e93b5a7c1d2f4086b7a8c9d0e1f20305br02"),
	},
	"apigateway-http-post-base64.json": {
		deleted: []string{"71c2d3e4f5a64b7c8d9e0f1a2b3c4d06br02"},
		events:  []string{"accepted 71c2d3e4f5a64b7c8d9e0f1a2b3c4d06br02"},
		reply:   "HTTP 202 " + accepted("JKJaXmPLvHcESHA4", "71c2d3e4f5a64b7c8d9e0f1a2b3c4d06br02"),
	},
	"apigateway-http-not-found.json": {events: []string{"not_found " + none}, reply: "HTTP 404 DBS.201214"},
}

func accepted(requestID, backupID string) string {
	return fmt.Sprintf(`{"request_id":%q,"project_id":%q,"backup_id":%q,"job_id":"JOB","status":"accepted"}`, requestID, ddstest.ProjectID, backupID)
}

func TestSamples(t *testing.T) {
	files, err := filepath.Glob("../../events/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	w := start(t, nil) // one process for all, as in Lambda
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			want, ok := samples[name]
			if !ok {
				t.Fatal("nothing says what should come of this sample")
			}
			payload, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			backups, jobs, events := w.dds.Backups(), len(w.dds.Jobs()), len(w.bus.Entries())
			result := w.invoke(t, payload)

			for _, b := range backups {
				_, there := w.dds.Backup(b.ID)
				if gone := slices.Contains(want.deleted, b.ID); gone == there {
					t.Errorf("backup %s is there: %v", b.ID, there)
				}
			}
			if got := len(w.dds.Jobs()) - jobs; got != len(want.deleted) {
				t.Errorf("DDS started %d jobs, want %d", got, len(want.deleted))
			}
			if got := w.events(t); len(got)-events != len(want.events) {
				t.Errorf("%d events went out, want %d", len(got)-events, len(want.events))
			}
			checkReply(t, result, payload, w.dds.Jobs()[jobs:], want.reply, want.errType)
		})
	}
	var all []string
	for _, want := range samples {
		all = append(all, want.events...)
	}
	slices.Sort(all)
	if diff := cmp.Diff(all, w.events(t)); diff != "" {
		t.Errorf("all events (-want +got):\n%s", diff)
	}
}

// checkReply holds a posted reply against the wanted one.
func checkReply(t *testing.T, got lambdatest.Result, payload []byte, jobs []ddstest.Job, reply, errType string) {
	t.Helper()
	if errType != "" || got.Err != nil {
		if got.Err == nil || got.Err.Type != errType {
			t.Errorf("reply %s, error %v, want an error of type %q", got.Payload, got.Err, errType)
		}
		return
	}
	if strings.Contains(reply, "@@LAST@@") {
		var in struct {
			Records []struct{ MessageID string }
		}
		if err := json.Unmarshal(payload, &in); err != nil {
			t.Fatal(err)
		}
		reply = strings.Replace(reply, "@@LAST@@", in.Records[len(in.Records)-1].MessageID, 1)
	}
	if len(jobs) == 1 {
		reply = strings.Replace(reply, "JOB", jobs[0].ID, 1)
	}
	text := string(got.Payload)
	if strings.HasPrefix(reply, "HTTP ") {
		var http struct {
			StatusCode int
			Body       string
		}
		if err := json.Unmarshal(got.Payload, &http); err != nil {
			t.Fatal(err)
		}
		text = fmt.Sprintf("HTTP %d %s", http.StatusCode, http.Body)
		if code := reply[len("HTTP 404 "):]; !strings.HasPrefix(code, "{") {
			if !strings.HasPrefix(text, reply[:9]) || !strings.Contains(text, code) {
				t.Errorf("reply %s, want %s", text, reply)
			}
			return
		}
	}
	if text != reply {
		t.Errorf("reply %s\n want %s", text, reply)
	}
}

func TestUnknownPayload(t *testing.T) {
	w := start(t, nil)
	result := w.invoke(t, []byte(`{"hello":"world"}`))
	if result.Err == nil || result.Err.Type != "DDS.Invalid" || !strings.Contains(result.Err.Message, "sqs: ") ||
		!strings.Contains(result.Err.Message, "apigateway-http: ") || !strings.Contains(result.Err.Message, "direct: ") {
		t.Errorf("error %v, want one of type DDS.Invalid that says which shapes were tried", result.Err)
	}
	// The process lives on.
	if result := w.invoke(t, []byte(`{"backup_id":"`+ddstest.SampleBackups()[0].ID+`"}`)); result.Err != nil {
		t.Errorf("the next invocation failed: %v", result.Err)
	}
}

func TestLogLines(t *testing.T) {
	w := start(t, nil)
	backup := ddstest.SampleBackups()[0].ID
	w.invoke(t, []byte(`{"backup_id":"`+backup+`"}`))
	w.end(t)
	job := w.dds.Jobs()[0].ID
	want := map[string]bool{"job started": false, "outcome": false}
	for line := range strings.Lines(w.function.Stdout()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("a log line that is not JSON: %s", line)
		}
		message, _ := entry["message"].(string)
		if _, ok := want[message]; !ok {
			continue
		}
		want[message] = true
		if entry["requestId"] != "invocation" || entry["request_id"] != "invocation" || entry["backup_id"] != backup || entry["job_id"] != job {
			t.Errorf("line %s", line)
		}
	}
	for message, seen := range want {
		if !seen {
			t.Errorf("no line %q", message)
		}
	}
}

func TestStdoutSink(t *testing.T) {
	w := start(t, nil, "OUTCOME_SINK=stdout", "ALLOW_STDOUT=true")
	w.invoke(t, []byte(`{"backup_id":"`+ddstest.SampleBackups()[0].ID+`"}`))
	w.end(t)
	if !strings.Contains(w.function.Stdout(), `{"specversion":"1.0","id":"`) {
		t.Error("no event on the standard output")
	}
}

// What the bus did not take goes back to the queue, with the job id kept in the log.
func TestSinkRefusesOneEntry(t *testing.T) {
	backups := ddstest.SampleBackups()
	w := start(t, func(e sinktest.Entry) string {
		if strings.Contains(e.Detail, backups[1].ID) {
			return "NotAuthorizedForSourceException"
		}
		return ""
	})
	var records []string
	for i := range 3 {
		records = append(records, fmt.Sprintf(`{"messageId":"m%d","eventSource":"aws:sqs","body":"{\"backup_id\":\"%s\"}"}`, i, backups[i].ID))
	}
	result := w.invoke(t, []byte(`{"Records":[`+strings.Join(records, ",")+`]}`))
	if got, want := string(result.Payload), `{"batchItemFailures":[{"itemIdentifier":"m1"}]}`; got != want {
		t.Errorf("reply %s, want %s", got, want)
	}
	if jobs := w.dds.Jobs(); len(jobs) != 3 {
		t.Errorf("%d jobs", len(jobs))
	}
}

// A DDS that hangs costs no record: all come back before the deadline.
func TestDeadline(t *testing.T) {
	w := start(t, nil)
	w.dds.Inject(ddstest.Slow(time.Hour).Repeat(-1))
	payload, err := os.ReadFile("../../events/sqs.json")
	if err != nil {
		t.Fatal(err)
	}
	result, err := w.function.Invoke(t.Context(), lambdatest.Invocation{Payload: payload, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatalf("no answer before the deadline: %v", err)
	}
	if !strings.Contains(string(result.Payload), "itemIdentifier") {
		t.Errorf("reply %s, want the message given back", result.Payload)
	}
}

func TestFaultsAtStart(t *testing.T) {
	_, err := lambdatest.Start(t.Context(), lambdatest.Options{Binary: binary, Env: []string{"HUAWEICLOUD_SDK_AK=x"}})
	var fault *lambdatest.InitError
	if !errors.As(err, &fault) {
		t.Fatalf("error %v, want an InitError", err)
	}
	for _, name := range []string{"HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_PROJECT_ID", "DDS_REGION", "OUTCOME_SINK"} {
		if !strings.Contains(fault.Stdout, name) {
			t.Errorf("%s is not named in %s", name, fault.Stdout)
		}
	}
}

func TestSIGTERM(t *testing.T) {
	w := start(t, nil)
	if !w.function.SIGTERMEnabled() {
		t.Fatal("SIGTERM was not asked for")
	}
	end, err := w.function.Terminate(t.Context())
	if err != nil || !end.Signaled {
		t.Fatalf("termination %+v, error %v", end, err)
	}
	if !strings.Contains(w.function.Stdout(), "SIGTERM") {
		t.Errorf("nothing in the log: %s", w.function.Stdout())
	}
}
