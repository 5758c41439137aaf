package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/contracttest"
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
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		_ = parallel.Value.Set("16") // these tests wait for a process, and hardly compute
	}
	return m.Run()
}

// world is a function with all it talks to.
type world struct {
	dds      *ddstest.Server
	bus      *sinktest.EventBridge
	queue    *visibilities
	function *lambdatest.Function
}

// visibilities is the ChangeMessageVisibilityBatch call of Amazon SQS.
type visibilities struct {
	mu      sync.Mutex
	refuse  bool
	seconds map[string]int // by receipt handle
}

func (v *visibilities) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Entries []struct {
			ReceiptHandle     string
			VisibilityTimeout int
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || v.refuse {
		http.Error(w, `{"__type":"AccessDeniedException"}`, http.StatusForbidden)
		return
	}
	for _, e := range in.Entries {
		v.seconds[e.ReceiptHandle] = e.VisibilityTimeout
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_, _ = w.Write([]byte(`{}`))
}

func (v *visibilities) of(receipt string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seconds[receipt]
}

// start starts the binary against a simulated DDS that has the sample backups. The variables
// in env come last, so that they win.
func start(t *testing.T, refuse func(sinktest.Entry) string, env ...string) *world {
	t.Helper()
	return startWith(t, ddstest.Options{}, refuse, env...)
}

// startWith is start with a simulated DDS of other options.
func startWith(t *testing.T, o ddstest.Options, refuse func(sinktest.Entry) string, env ...string) *world {
	t.Helper()
	w := &world{
		dds: ddstest.NewServer(o), bus: sinktest.NewEventBridge(refuse), queue: &visibilities{seconds: make(map[string]int)},
	}
	queue := httptest.NewServer(w.queue)
	t.Cleanup(queue.Close)
	t.Cleanup(w.dds.Close)
	t.Cleanup(w.bus.Close)
	w.dds.Add(ddstest.SampleBackups()...)
	return startAt(t, w, append([]string{"AWS_ENDPOINT_URL_SQS=" + queue.URL}, env...)...)
}

// startAt starts the binary in a world where another one may have run before.
func startAt(t *testing.T, before *world, env ...string) *world {
	t.Helper()
	w := &world{dds: before.dds, bus: before.bus, queue: before.queue}
	var err error
	w.function, err = lambdatest.Start(t.Context(), lambdatest.Options{Binary: binary, Extension: true, Env: append([]string{
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
		for _, entry := range w.bus.Taken() {
			contracttest.Check(t, "outcome-event.json", []byte(entry.Detail))
		}
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
	if result.Err == nil {
		checkContract(t, payload, result.Payload)
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
	for _, entry := range w.bus.Taken() {
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
		ended := e.Data.Status == deletion.Completed || e.Data.Status == deletion.Failed // with a job id where it is known
		if accepted := e.Data.Status == deletion.Accepted; (e.Data.JobID != "") != accepted && !ended {
			t.Errorf("%s with job %q", e.Data.Status, e.Data.JobID)
		}
		got = append(got, strings.TrimSuffix(strings.TrimPrefix(e.Type, deletion.TypePrefix), ".v1")+" "+e.Subject)
	}
	slices.Sort(got)
	return got
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

// One line tells an invocation, and a line in the embedded metric format what is counted over time.
func TestInvocationLineAndMetrics(t *testing.T) {
	w := start(t, nil)
	w.dds.Inject(ddstest.Answer(503, "", "busy").For(sample(1)).Repeat(1))
	var records []string
	for i, id := range []string{sample(0), sample(1), restoring(), none, "not/an/id"} {
		records = append(records, fmt.Sprintf(`{"messageId":"m%d","eventSource":"aws:sqs","body":"{\"backup_id\":\"%s\"}"}`, i, id))
	}
	payload := []byte(`{"Records":[` + strings.Join(records, ",") + `]}`)
	w.invoke(t, payload)
	w.invoke(t, payload)
	w.end(t)

	var invocations []map[string]any
	metrics := make(map[string]float64)
	latencies := 0
	for line := range strings.Lines(w.function.Stdout()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("a line that is not JSON: %s", line)
		}
		switch {
		case entry["message"] == "invocation":
			if ms, ok := entry["duration_ms"].(float64); !ok || ms < 0 {
				t.Errorf("line %s", line)
			}
			for _, name := range []string{"timestamp", "requestId", "duration_ms"} {
				delete(entry, name)
			}
			invocations = append(invocations, entry)
		case entry["_aws"] != nil:
			for name, value := range entry {
				if n, ok := value.(float64); ok {
					metrics[name] += n
				}
			}
			values, _ := entry["DDSLatency"].([]any)
			latencies += len(values)
			if entry["function_name"] != "lambdatest" {
				t.Errorf("line %s", line)
			}
		}
	}
	want := func(cold bool, replayed float64) map[string]any {
		return map[string]any{
			"level": "INFO", "message": "invocation", "source": "sqs", "requests": 5.0, "accepted": 2.0, "unconfirmed": 0.0, "not_found": 1.0,
			"rejected": 1.0, "simulated": 0.0, "retry": 1.0, "replayed": replayed, "echoes": 0.0, "cold_start": cold,
		}
	}
	if diff := cmp.Diff([]map[string]any{want(true, 0), want(false, 3)}, invocations); diff != "" {
		t.Errorf("invocation lines (-want +got):\n%s", diff)
	}
	wantMetrics := map[string]float64{
		"Accepted": 4, "NotFound": 2, "Rejected": 2, "Retried": 2, "Replayed": 3, "ColdStarts": 1,
		"DDSErrors": 4, // twice the restoration; the backup that is not there, once; and the busy answer
	}
	if diff := cmp.Diff(wantMetrics, metrics); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	if calls := len(w.dds.Calls()) - 1; latencies != calls { // the first only opened the connection
		t.Errorf("%d latencies of %d calls", latencies, calls)
	}
}

func TestMetricsCanBeTurnedOff(t *testing.T) {
	w := start(t, nil, "METRICS=none")
	w.invoke(t, []byte(`{"backup_id":"`+sample(0)+`"}`))
	w.end(t)
	if strings.Contains(w.function.Stdout(), "_aws") {
		t.Error("there are metrics")
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
	if testing.Short() {
		t.Skip("it waits for a deadline")
	}
	t.Parallel() // it waits
	w := start(t, nil)
	w.dds.Inject(ddstest.Slow(time.Hour).Repeat(-1))
	payload, err := os.ReadFile("../../events/sqs.json")
	if err != nil {
		t.Fatal(err)
	}
	result, err := w.function.Invoke(t.Context(), lambdatest.Invocation{Payload: payload, Timeout: 6 * time.Second})
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

// To register an extension, so as to be sent SIGTERM, takes a fifth of the start.
func TestRegistersNoExtension(t *testing.T) {
	f, err := lambdatest.Start(t.Context(), lambdatest.Options{Binary: binary, Env: []string{
		"HUAWEICLOUD_SDK_AK=x", "HUAWEICLOUD_SDK_SK=x", "HUAWEICLOUD_SDK_PROJECT_ID=x", "DDS_ENDPOINT=http://127.0.0.1:1", "DDS_REGION=r",
		"OUTCOME_SINK=stdout", "ALLOW_STDOUT=true",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if f.SIGTERMEnabled() {
		t.Error("it registered one")
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestSIGTERM(t *testing.T) {
	w := start(t, nil)
	end, err := w.function.Terminate(t.Context())
	if err != nil || !end.Signaled {
		t.Fatalf("termination %+v, error %v", end, err)
	}
	if !strings.Contains(w.function.Stdout(), "SIGTERM") {
		t.Errorf("nothing in the log: %s", w.function.Stdout())
	}
}
