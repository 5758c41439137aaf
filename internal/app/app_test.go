package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/clocktest"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/ledger"
	"dds-backup-delete/internal/metrics"
	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/simulation"
	"dds-backup-delete/internal/sink"
)

// serve starts a simulated DDS and returns a configuration for it.
func serve(t *testing.T) (*ddstest.Server, *config.Config) {
	t.Helper()
	server, c := simulation.Start(ddstest.Options{})
	t.Cleanup(server.Close)
	return server, c
}

func direct(backup int) []byte {
	return []byte(`{"backup_id":"` + ddstest.SampleBackups()[backup].ID + `"}`)
}

var invocation = event.Invocation{ID: "invocation"}

var discard = slog.New(slog.DiscardHandler)

func TestProjectIsLookedUpOnce(t *testing.T) {
	server, c := serve(t)
	c.ProjectID = ""
	var out bytes.Buffer
	a, err := New(t.Context(), c, discard, &out, Links{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := a.Handle(t.Context(), invocation, direct(i)); err != nil {
			t.Fatal(err)
		}
	}
	lookups := 0
	for _, call := range server.Calls() {
		if call.Path == "/v3/projects" {
			lookups++
		}
	}
	if lookups != 1 || len(server.Jobs()) != 3 {
		t.Errorf("%d look-ups and %d jobs, want one and three", lookups, len(server.Jobs()))
	}
	if !strings.Contains(out.String(), "urn:huaweicloud:dds:cn-north-4:"+ddstest.ProjectID) {
		t.Errorf("events without the project:\n%s", out.String())
	}
}

// That IAM does not know the project can be changed without a deployment, so the handler starts.
func TestProjectThatCannotBeFound(t *testing.T) {
	for name, projects := range map[string]map[string]string{
		"none": {}, "several": {"p1": ddstest.Region, "p2": ddstest.Region},
	} {
		server, c := serve(t)
		server.SetProjects(projects)
		c.ProjectID = ""
		var log bytes.Buffer
		a, err := New(t.Context(), c, slog.New(slog.NewJSONHandler(&log, nil)), new(bytes.Buffer), Links{})
		if err != nil || !strings.Contains(log.String(), `"variable":"HUAWEICLOUD_SDK_PROJECT_ID"`) {
			t.Fatalf("%s: error %v, log %s", name, err, log.String())
		}
		_, err = a.Handle(t.Context(), invocation, direct(0))
		var failure *event.FunctionError
		if !errors.As(err, &failure) || failure.Type != "DDS.Forbidden" || !strings.Contains(failure.Message, "HUAWEICLOUD_SDK_PROJECT_ID") {
			t.Errorf("%s: error %v", name, err)
		}
		server.SetProjects(map[string]string{ddstest.ProjectID: ddstest.Region})
		if _, err := a.Handle(t.Context(), invocation, direct(0)); err != nil {
			t.Errorf("%s, then one: error %v", name, err)
		}
	}
}

// A refused key at start must not end the process: each new one would try it again.
func TestProjectAndARefusedKey(t *testing.T) {
	server, c := serve(t)
	c.ProjectID = ""
	c.Credentials.Keys.SecretKey = secret.New("wrong")
	a, err := New(t.Context(), c, discard, new(bytes.Buffer), Links{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := a.Handle(t.Context(), invocation, direct(0))
		var failure *event.FunctionError
		if !errors.As(err, &failure) || failure.Type != "DDS.Unauthenticated" {
			t.Errorf("error %v", err)
		}
	}
	if calls := server.Calls(); len(calls) != 1 {
		t.Errorf("%d calls with a refused key, want one", len(calls))
	}
}

// A bug of ours fails the invocation and not the process.
func TestPanic(t *testing.T) {
	_, err := (&App{log: discard}).Handle(t.Context(), invocation, direct(0))
	var failure *event.FunctionError
	if !errors.As(err, &failure) || failure.Type != "DDS.Internal" {
		t.Errorf("error %v", err)
	}
}

// A panic while a server's call is worked is answered, logged and counted like that of a payload.
func TestPanicOfACall(t *testing.T) {
	var log bytes.Buffer
	a := &App{log: slog.New(slog.NewJSONHandler(&log, nil))}
	got := httptest.NewRecorder()
	a.HTTP().ServeHTTP(got, httptest.NewRequestWithContext(t.Context(), http.MethodDelete, "/backups/a", http.NoBody)) // finds no service
	if got.Code != http.StatusInternalServerError || got.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("status %d, headers %v", got.Code, got.Header())
	}
	for _, want := range []string{`"msg":"panic"`, `"msg":"invocation","source":"http"`} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("no %s in %s", want, log.String())
		}
	}
}

// deadline is a deleter that notes how long it may take.
type deadline struct {
	deletion.Backups

	left time.Duration
}

func (d *deadline) DeleteBackup(ctx context.Context, _ deletion.Target, _ bool) (deletion.Deletion, error) {
	if end, ok := ctx.Deadline(); ok {
		d.left = time.Until(end)
	}
	return deletion.Deletion{JobID: "job"}, nil
}

// An HTTP request is worked within 25 s, whatever the invocation has left.
func TestTheLimitOfASourceHolds(t *testing.T) {
	for payload, most := range map[string]time.Duration{
		`{"version":"2.0","rawPath":"/backups/a","requestContext":{"requestId":"r","http":{"method":"DELETE"}}}`: 25 * time.Second,
		`{"Records":[{"messageId":"m","eventSource":"aws:sqs","body":"{\"backup_id\":\"b\"}"}]}`:                 60 * time.Second,
	} {
		d := new(deadline)
		a := &App{log: discard, Service: &deletion.Service{
			Backups: d, Ledger: ledger.NewMemory(10, nil), Sink: sink.NewStdout(io.Discard), Concurrency: 1, Log: discard,
			Scope: deletion.Scope{ProjectID: "p"},
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		_, err := a.Handle(ctx, invocation, []byte(payload))
		cancel()
		if err != nil || d.left > most || d.left < most*3/4 {
			t.Errorf("%s: %v left, error %v, want nearly %v", payload, d.left, err, most)
		}
	}
}

// What a server is asked has a source, like every other request.
func TestTheSourceOfAServer(t *testing.T) {
	var log bytes.Buffer
	lines := slog.New(slog.NewJSONHandler(&log, nil))
	a := &App{log: lines, Service: &deletion.Service{
		Backups: new(deadline), Ledger: ledger.NewMemory(10, nil), Sink: sink.NewStdout(io.Discard), Concurrency: 1, Log: lines,
		Scope: deletion.Scope{ProjectID: "p"},
	}}
	got := httptest.NewRecorder()
	a.HTTP().ServeHTTP(got, httptest.NewRequestWithContext(t.Context(), http.MethodDelete, "/backups/b", http.NoBody))
	if got.Code != http.StatusAccepted || strings.Count(log.String(), `"source":"http"`) != 3 { // job started, outcome, invocation
		t.Errorf("status %d, log %s", got.Code, log.String())
	}
}

func TestWiring(t *testing.T) {
	_, c := serve(t)
	c.Concurrency = 7
	a, err := New(t.Context(), c, discard, nil, Links{})
	if err != nil || a.Service.Concurrency != 7 {
		t.Errorf("concurrency %d, error %v", a.Service.Concurrency, err)
	}
}

// In Lambda the first line says what a ledger in memory costs; elsewhere nobody needs to know.
func TestAMemoryLedgerIsTold(t *testing.T) {
	for api, told := range map[string]bool{"127.0.0.1:9001": true, "": false} {
		_, c := serve(t)
		c.InLambda = api != ""
		var log bytes.Buffer
		if _, err := New(t.Context(), c, slog.New(slog.NewJSONHandler(&log, nil)), nil, Links{}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), "LEDGER is memory"); got != told {
			t.Errorf("in Lambda %v, log: %s", api != "", log.String())
		}
	}
}

const requestQueue = "arn:aws:sqs:eu-central-1:123456789012:requests.fifo"

// A sink that is the source would swallow its outcomes: nothing is worked.
func TestTheSourceAsSink(t *testing.T) {
	requestTopic := config.SMNTopic{Region: ddstest.Region, ProjectID: ddstest.ProjectID, Name: "requests"}
	aws := func(*config.Sink) (deletion.Sink, error) { return sink.NewStdout(io.Discard), nil }
	links := Links{SMN: sink.NewSMN, Sinks: map[config.SinkKind]func(*config.Sink) (deletion.Sink, error){config.SQS: aws}}
	queue, _ := arn.Parse(requestQueue)
	for payload, to := range map[string]config.Sink{
		`{"Records":[{"messageId":"m","eventSource":"aws:sqs","eventSourceARN":"` + requestQueue + `","body":"{\"backup_id\":\"b\"}"}]}`: {Kind: config.SQS, ARN: queue},
		`{"record":[{"event_source":"smn","smn":{"topic_urn":"` + requestTopic.String() + `","message_id":"m","message":"{\"backup_id\":\"b\"}"}}]}`: {
			Kind: config.SMN, Topic: requestTopic,
		},
	} {
		server, c := serve(t)
		c.Sink = to
		c.Sink.Endpoint = server.URL()
		a, err := New(t.Context(), c, discard, new(bytes.Buffer), links)
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Handle(t.Context(), invocation, []byte(payload))
		var failure *event.FunctionError
		if !errors.As(err, &failure) || failure.Type != "DDS.Undelivered" || len(server.Calls()) != 0 {
			t.Errorf("error %v, %d calls", err, len(server.Calls()))
		}
		if _, err := a.Handle(t.Context(), invocation, direct(0)); err != nil {
			t.Errorf("another source: %v", err)
		}
	}
}

// What a topic did not take of a request that no source delivers again is published by a tick, with the keys of the tick.
func TestATickPublishesToATopic(t *testing.T) {
	clock := clocktest.New(time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC))
	server, c := simulation.Start(ddstest.Options{Now: clock.Now})
	defer server.Close()
	c.Credentials.Keys = dds.Credentials{}
	c.Ledger.Durable = true
	c.Sink = config.Sink{Kind: config.SMN, Topic: config.SMNTopic{Region: ddstest.Region, ProjectID: ddstest.ProjectID, Name: "outcomes"}, Endpoint: server.URL()}
	a, err := New(t.Context(), c, discard, io.Discard, Links{SMN: sink.NewSMN, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	with := func(key string) context.Context {
		server.AddKeys(key, "secret-of-"+key, "token-of-"+key)
		return dds.WithCredentials(t.Context(), dds.Credentials{
			AccessKey: secret.New(key), SecretKey: secret.New("secret-of-" + key), SecurityToken: secret.New("token-of-" + key),
		})
	}
	server.Inject(ddstest.Answer(http.StatusNotFound, "SMN.0006", "Topic not found.").On(http.MethodPost))
	const request = `{"record":[{"event_source":"smn","smn":{"topic_urn":"urn:smn:cn-north-4:p:requests","message_id":"m","message":"{\"backup_id\":\"%s\"}"}}]}`
	if _, err := a.Handle(with("KEYOFTHEREQUEST00001"), invocation, fmt.Appendf(nil, request, ddstest.SampleBackups()[0].ID)); err != nil {
		t.Fatal(err)
	}
	clock.Pass(time.Hour)
	if _, err := a.Handle(with("KEYOFTHETICK00000001"), invocation, []byte(`{"type":"dds.backup.agenda.tick.v1"}`)); err != nil {
		t.Fatal(err)
	}
	deletions := 0
	for _, call := range server.Calls() {
		if call.Method == http.MethodDelete {
			deletions++
		}
	}
	m := server.Messages()
	if deletions != 1 || len(m) != 1 || m[0].AccessKey != "KEYOFTHETICK00000001" || !strings.Contains(m[0].Message, server.Jobs()[0].ID) {
		t.Errorf("%d deletions, messages %+v", deletions, m)
	}
}

// refusing is a sink whose errors name what a caller is not to know.
type refusing struct{}

func (refusing) Publish(_ context.Context, events []deletion.Event) []error {
	errs := make([]error, len(events))
	for i := range errs {
		errs[i] = errors.New("arn:aws:sts::123456789012:assumed-role/prod is not authorized")
	}
	return errs
}

// What AWS says of our rights is for the log, and not for whoever may call.
func TestCausesStayInTheLog(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	a := &App{log: logger, Service: &deletion.Service{
		Backups: new(deadline), Ledger: ledger.NewMemory(10, nil), Sink: refusing{}, Concurrency: 1, Log: logger, Scope: deletion.Scope{ProjectID: "p"},
	}}
	const call = `{"version":"2.0","rawPath":"/backups/a","requestContext":{"requestId":"r","http":{"method":"DELETE"}}}`
	reply, err := a.Handle(t.Context(), invocation, []byte(call))
	if err != nil || strings.Contains(string(reply), "assumed-role") || !strings.Contains(string(reply), `\"class\":\"undelivered\"`) {
		t.Errorf("reply %s, error %v", reply, err)
	}
	if _, err := a.Handle(t.Context(), invocation, direct(0)); err == nil || strings.Contains(err.Error(), "assumed-role") {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(log.String(), `"cause":"arn:aws:sts::123456789012:assumed-role/prod is not authorized"`) {
		t.Errorf("log %s", log.String())
	}
}

// Each invocation has its line and is counted, also one whose payload was refused, or that panicked.
func TestEveryInvocationIsReported(t *testing.T) {
	var log, out bytes.Buffer
	a := &App{log: slog.New(slog.NewJSONHandler(&log, nil)), metrics: metrics.New(&out, "f")}
	for _, payload := range []string{`{"hello":"world"}`, `{"backup_id":"a"}`} { // the second finds no service
		if _, err := a.Handle(t.Context(), invocation, []byte(payload)); err == nil {
			t.Errorf("%s: no error", payload)
		}
	}
	if lines := strings.Count(log.String(), `"msg":"invocation"`); lines != 2 || strings.Count(log.String(), `"cold_start":true`) != 1 {
		t.Errorf("log %s", log.String())
	}
	if strings.Count(out.String(), `"ColdStarts":1`) != 1 {
		t.Errorf("metrics %s", out.String())
	}
}
