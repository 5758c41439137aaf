package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/functiongraphtest"
	"dds-backup-delete/internal/lambdatest"
	"dds-backup-delete/internal/ledger/dynamodbtest"
)

// binary is the function as it is deployed, but for this machine.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "functiongraph")
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

// The sources of the binary are inputs that go test cannot see. It does see which folders a test reads, and after a
// change there it takes no result from its cache.
func TestTheSourcesAreInputs(t *testing.T) {
	for _, root := range []string{".", "../../internal"} {
		if err := filepath.WalkDir(root, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			t.Error(err)
		}
	}
}

var keys = functiongraphtest.Keys{Access: "HSTATEMPORARYKEY0001", Secret: "temporary-secret-key-of-an-invocation-01", Token: "a-security-token-of-an-invocation-000001"}

func backup(i int) string { return ddstest.SampleBackups()[i].ID }

func request(i int) []byte { return []byte(`{"backup_id":"` + backup(i) + `"}`) }

// world is a function and the DDS that it calls, which accepts the keys.
type world struct {
	*functiongraphtest.Function
	dds *ddstest.Server
}

func settings(server *ddstest.Server, more ...string) []string {
	return append([]string{
		"DDS_REGION=" + ddstest.Region, "DDS_ENDPOINT=" + server.URL(), "HUAWEICLOUD_SDK_IAM_ENDPOINT=" + server.URL(),
		"SMN_ENDPOINT=" + server.URL(), "OUTCOME_SINK=stdout", "ALLOW_STDOUT=true", "LEDGER_ALLOW_VOLATILE=true",
	}, more...)
}

func start(t *testing.T, mode functiongraphtest.Mode, timeout time.Duration, env ...string) *world {
	t.Helper()
	server := ddstest.NewServer(ddstest.Options{EchoRequest: true})
	t.Cleanup(server.Close)
	server.Add(ddstest.SampleBackups()...)
	server.AddKeys(keys.Access, keys.Secret, keys.Token)
	return startAt(t, server, mode, timeout, env...)
}

func startAt(t *testing.T, server *ddstest.Server, mode functiongraphtest.Mode, timeout time.Duration, env ...string) *world {
	t.Helper()
	f, err := functiongraphtest.Start(limited(t), functiongraphtest.Options{Binary: binary, Mode: mode, Env: settings(server, env...), Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("output:\n%.4000s", f.Output())
		}
	})
	return &world{f, server}
}

// calls returns what DDS was asked. A HEAD only opens a connection.
func (w *world) calls() []ddstest.Call {
	return slices.DeleteFunc(w.dds.Calls(), func(c ddstest.Call) bool { return c.Method == http.MethodHead })
}

// limited returns a context with a deadline that no test reaches unless something hangs.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// check wants a result that contains a text, or an error of a type whose message contains it.
func check(t *testing.T, r functiongraphtest.Result, err error, kind, text string) {
	t.Helper()
	got, message := "", string(r.Payload)
	if r.Err != nil {
		got, message = r.Err.Type, r.Err.Message
	}
	if err != nil || got != kind || !strings.Contains(message, text) {
		t.Errorf("error %v, type %q, %.300s; want %q and %q", err, got, message, kind, text)
	}
}

func (w *world) check(t *testing.T, in functiongraphtest.Invocation, kind, text string) {
	t.Helper()
	r, err := w.Invoke(limited(t), in)
	check(t, r, err, kind, text)
}

// The events that both ways to take events answer alike.
func TestEvents(t *testing.T) {
	t.Parallel()
	for _, mode := range []functiongraphtest.Mode{functiongraphtest.Runtime, functiongraphtest.Container} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := start(t, mode, 0)
			with := keys.Headers()
			plain := http.Header{"X-Cff-Access-Key": {keys.Access}, "X-Cff-Secret-Key": {keys.Secret}, "X-Cff-Security-Token": {keys.Token}}
			half := plain.Clone() // it must not be completed from the plain pair
			half.Set("X-Cff-Security-Access-Key", "HSTAANOTHERKEY000001")
			bad := functiongraphtest.Keys{Access: "HSTAEXPIREDKEY000001", Secret: "the-secret-key-that-is-expired-000000001", Token: keys.Token}.Headers()
			expired := functiongraphtest.Keys{Access: keys.Access, Secret: keys.Secret, Token: "a-security-token-that-is-expired-00001"}.Headers()
			w.dds.Inject(ddstest.Answer(http.StatusForbidden, "DBS.280063", "The user lacks the action.").For(backup(4)))
			for i, tc := range []struct {
				name    string
				payload []byte
				header  http.Header
				kind    string
				text    string
				calls   int // that DDS got
			}{
				{"accepted", request(0), with, "", `"status":"accepted"`, 1},
				{"the plain pair", request(1), plain, "", `"status":"accepted"`, 1},
				{"half a pair", request(2), half, "", `"status":"accepted"`, 1},
				{"refused", []byte(`{"backup_id":"` + strings.Repeat("0", 32) + `br02"}`), with, "DDS.NotFound", "DBS.201214", 1},
				{"no agency", request(3), nil, "DDS.Forbidden", "expected an agency of the function", 0},
				{"no token", request(3), http.Header{"X-Cff-Security-Access-Key": {keys.Access}, "X-Cff-Security-Secret-Key": {keys.Secret}}, "DDS.Forbidden", "expected an agency of the function", 0},
				{"an expired key", request(3), bad, "DDS.Unauthenticated", "APIGW.0301", 1},
				{"the expired key again", request(3), bad, "DDS.Unauthenticated", "held back", 0},
				{"another key at once", request(3), with, "", `"status":"accepted"`, 1},
				{"an expired token", request(4), expired, "DDS.Unauthenticated", "APIGW.0301", 1},
				{"the expired token again", request(4), expired, "DDS.Unauthenticated", "held back", 0},
				{"an agency without the permission", request(4), with, "DDS.Forbidden", "needs the permission dds:backup:delete: ", 1},
				{"which it has now", request(4), with, "", `"status":"accepted"`, 1},
				{"an unknown trigger", []byte(`{"cow":1}`), with, "DDS.Invalid", "cow", 0},
				{"no event", nil, with, "DDS.Invalid", "", 0},
				{"a long event", make([]byte, 9<<20), with, "DDS.Invalid", "expected 6291556 at most", 0},
			} {
				before := len(w.calls())
				r, err := w.Invoke(limited(t), functiongraphtest.Invocation{Payload: tc.payload, RequestID: fmt.Sprint("invocation-", i), Header: tc.header})
				if check(t, r, err, tc.kind, tc.text); len(w.calls())-before != tc.calls {
					t.Errorf("%s: DDS got %d calls", tc.name, len(w.calls())-before)
				}
			}
			if err := w.Terminate(); err != nil || w.ExitCode() != 0 {
				t.Errorf("SIGTERM: error %v, exit code %d", err, w.ExitCode())
			}
			out := w.Output()
			for _, canary := range []string{keys.Secret, keys.Token, keys.Access, bad.Get("X-Cff-Security-Secret-Key"), bad.Get("X-Cff-Security-Access-Key"), expired.Get("X-Cff-Security-Token")} {
				if strings.Contains(out, canary) {
					t.Errorf("%s came out", canary)
				}
			}
			if !strings.Contains(out, `"requestId":"invocation-0"`) || !strings.Contains(out, `"message":"outcome"`) {
				t.Error("the log has no id of the invocation")
			}
		})
	}
}

// Many invocations at once: each deletion is signed with the keys that came with it.
func TestEachInvocationHasItsKeys(t *testing.T) {
	t.Parallel()
	w := start(t, functiongraphtest.Container, 0)
	const most = 12 // no more than the sample backups
	var all sync.WaitGroup
	for i := range min(most, len(ddstest.SampleBackups())) {
		own := functiongraphtest.Keys{Access: fmt.Sprintf("HSTAINVOCATION%06d", i), Secret: fmt.Sprintf("secret-key-of-invocation-%d", i), Token: fmt.Sprintf("token-of-invocation-%d", i)}
		w.dds.AddKeys(own.Access, own.Secret, own.Token)
		all.Go(func() {
			if _, err := w.Invoke(limited(t), functiongraphtest.Invocation{Payload: request(i), RequestID: own.Access, Header: own.Headers()}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	signed := 0
	for _, call := range w.calls() {
		if want := fmt.Sprintf("HSTAINVOCATION%06d", signedBy(call.BackupID)); call.AccessKey != want || call.Status == http.StatusUnauthorized {
			t.Errorf("%s: signed by %s, want %s; status %d", call.BackupID, call.AccessKey, want, call.Status)
		}
		signed++
	}
	if signed < 3 {
		t.Errorf("%d calls", signed)
	}
}

func signedBy(id string) int {
	for i, b := range ddstest.SampleBackups() {
		if b.ID == id {
			return i
		}
	}
	return -1
}

// Keys of the environment win, and nothing is asked at start without keys. A project that is not known is looked up
// with the keys of the first invocation.
func TestKeysAndProject(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ env, key string }{
		"of the invocation":  {"", keys.Access},
		"of the environment": {"HUAWEICLOUD_SDK_AK=" + ddstest.AccessKey + "\nHUAWEICLOUD_SDK_SK=" + ddstest.SecretKey, ddstest.AccessKey},
		"for the project":    {"RUNTIME_PROJECT_ID=", keys.Access},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, functiongraphtest.Container, 0, strings.Split(tc.env, "\n")...)
			if calls := w.calls(); tc.key == keys.Access && len(calls) != 0 || strings.Contains(w.Output(), "look-up failed") {
				t.Errorf("at start something was looked up: %+v", calls)
			}
			w.check(t, functiongraphtest.Invocation{Payload: request(0), RequestID: "i", Header: keys.Headers()}, "", "accepted")
			for _, call := range w.calls() {
				if call.AccessKey != tc.key {
					t.Errorf("call %+v, want it signed by %s", call, tc.key)
				}
			}
		})
	}
}

// The runtime API may fail, answer nothing or go away, before an event and when it gets the answer.
func TestARuntimeAPIThatFails(t *testing.T) {
	t.Parallel()
	w := start(t, functiongraphtest.Runtime, 0)
	w.Fail(200, 204, 500, 200, 0, 404, 500, 500, 500, 500, 500)
	w.FailAnswers(503, 0)
	w.check(t, functiongraphtest.Invocation{Payload: request(0), RequestID: "first", Header: keys.Headers()}, "", "accepted")
	if n := strings.Count(w.Output(), `"message":"the runtime API gives no events","error":"status 500"`); n != 1 {
		t.Errorf("a failure that lasts was logged %d times", n)
	}
	w.FailAnswers(413)
	// The answer that is refused is gone, and the next event is taken.
	ctx, cancel := context.WithCancel(limited(t))
	var lost sync.WaitGroup
	lost.Go(func() {
		_, _ = w.Invoke(ctx, functiongraphtest.Invocation{Payload: request(1), RequestID: "refused", Header: keys.Headers()})
	})
	waitFor(t, "the line about the answer", func() bool { return strings.Contains(w.Output(), "did not take an answer") })
	w.check(t, functiongraphtest.Invocation{Payload: request(2), RequestID: "a/b?c", Header: keys.Headers()}, "", "accepted")
	cancel()
	lost.Wait()
}

// An event that does not arrive is given up when its time is over, and the next one is taken.
func TestAnEventThatStalls(t *testing.T) {
	t.Parallel()
	w := start(t, functiongraphtest.Runtime, time.Second)
	w.Fail(functiongraphtest.Stalled)
	w.check(t, functiongraphtest.Invocation{Payload: request(0), RequestID: "i", Header: keys.Headers()}, "", "accepted")
	if !strings.Contains(w.Output(), `"message":"the event broke off"`) {
		t.Error("the log does not say so")
	}
}

// An invocation ends in its time, long before DDS answers.
func TestTimeout(t *testing.T) {
	t.Parallel()
	w := start(t, functiongraphtest.Runtime, time.Second)
	w.dds.Inject(ddstest.Slow(time.Minute).Repeat(-1))
	w.check(t, functiongraphtest.Invocation{Payload: request(0), RequestID: "i", Header: keys.Headers()}, "DDS.Unavailable", "")
}

// A process that is killed in its work leaves the work to the next one; one that was frozen goes on.
func TestKillAndFreeze(t *testing.T) {
	t.Parallel()
	w := start(t, functiongraphtest.Runtime, 0)
	reached := make(chan struct{})
	w.dds.Inject(ddstest.Slow(time.Minute).On(http.MethodDelete))
	in := functiongraphtest.Invocation{Payload: request(0), RequestID: "i", Header: keys.Headers()}
	go func() {
		defer close(reached)
		if _, err := w.Invoke(t.Context(), in); !errors.Is(err, functiongraphtest.ErrExited) {
			t.Errorf("error %v", err)
		}
	}()
	waitFor(t, "the DELETE", func() bool { return w.dds.Delayed() > 0 })
	if err := w.Kill(); err != nil {
		t.Fatal(err)
	}
	<-reached
	w = startAt(t, w.dds, functiongraphtest.Runtime, 0)
	w.check(t, in, "", "accepted")

	if err := w.Freeze(); err != nil {
		t.Fatal(err)
	}
	w.dds.CloseConnections()
	if err := w.Thaw(); err != nil {
		t.Fatal(err)
	}
	in.Payload = request(1)
	w.check(t, in, "", "accepted")
}

// counter passes calls on, and counts its connections.
type counter struct {
	*httptest.Server
	connections atomic.Int64
}

func startCounter(t *testing.T, address string) *counter {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{Server: httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(to))}
	c.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			c.connections.Add(1)
		}
	}
	c.Start()
	t.Cleanup(c.Close)
	return c
}

// The connections to DDS and SMN that the first request needs are there when it comes.
func TestConnectsAtStart(t *testing.T) {
	t.Parallel()
	server := ddstest.NewServer(ddstest.Options{})
	t.Cleanup(server.Close)
	server.Add(ddstest.SampleBackups()...)
	server.AddKeys(keys.Access, keys.Secret, keys.Token)
	dds, smn := startCounter(t, server.URL()), startCounter(t, server.URL())
	w := startAt(t, server, functiongraphtest.Container, 0, "DDS_ENDPOINT="+dds.URL, "OUTCOME_SINK="+topic, "SMN_ENDPOINT="+smn.URL) // it listens once it has started
	for _, when := range []string{"at start", "after a request"} {
		if dds.connections.Load() != 1 || smn.connections.Load() != 1 {
			t.Errorf("%s: connections: %d to DDS, %d to SMN", when, dds.connections.Load(), smn.connections.Load())
		}
		if when == "at start" {
			w.check(t, functiongraphtest.Invocation{Payload: request(0), RequestID: "i", Header: keys.Headers()}, "", "accepted")
		}
	}
}

// An HTTP function has the HTTP API, and no way to hand it an event.
func TestHTTPFunction(t *testing.T) {
	t.Parallel()
	w := start(t, functiongraphtest.HTTP, 0)
	for _, tc := range []struct {
		method, path string
		keys         http.Header
		status       int
		text         string
	}{
		{http.MethodDelete, "/backups/" + backup(0), keys.Headers(), http.StatusAccepted, `"job_id"`},
		{http.MethodDelete, "/backups/" + backup(1), nil, http.StatusForbidden, "Include Keys"},
		{http.MethodPost, "/invoke", keys.Headers(), http.StatusNotFound, ""},
		{http.MethodGet, "/healthz", nil, http.StatusOK, ""},
	} {
		status, body, err := w.Do(limited(t), tc.method, tc.path, functiongraphtest.Invocation{RequestID: "call-1", Header: tc.keys})
		if err != nil || status != tc.status || !strings.Contains(string(body), tc.text) {
			t.Errorf("%s %s: error %v, status %d, %s", tc.method, tc.path, err, status, body)
		}
	}
	if !strings.Contains(w.Output(), `"request_id":"call-1"`) {
		t.Error("the request does not have FunctionGraph's id")
	}
}

// A container image has /init and /invoke, by POST, and nothing else.
func TestContainer(t *testing.T) {
	t.Parallel()
	w := start(t, functiongraphtest.Container, 0)
	for path, status := range map[string]int{
		"POST /init": http.StatusOK, "GET /invoke": http.StatusMethodNotAllowed, "DELETE /backups/b": http.StatusNotFound, "POST /invoke/": http.StatusNotFound,
	} {
		method, path, _ := strings.Cut(path, " ")
		got, _, err := w.Do(limited(t), method, path, functiongraphtest.Invocation{RequestID: "i", Header: keys.Headers()})
		if err != nil || got != status {
			t.Errorf("%s %s: status %d, error %v", method, path, got, err)
		}
	}
}

// A ledger that forgets is refused, and so is a start anywhere else.
func TestStartFaults(t *testing.T) {
	t.Parallel()
	server := ddstest.NewServer(ddstest.Options{})
	t.Cleanup(server.Close)
	f, err := functiongraphtest.Start(limited(t), functiongraphtest.Options{
		Binary: binary, Mode: functiongraphtest.Container,
		Env: settings(server, "LEDGER_ALLOW_VOLATILE=", "OUTCOME_SINK=arn:aws:sns:eu-central-1:123456789012:outcomes", "FUNCTION_TYPE=cow"),
	})
	if err == nil {
		err = f.Close()
		t.Fatalf("it started; %v", err)
	}
	for _, fault := range []string{"exit code 1", "LEDGER: ", "LEDGER_ALLOW_VOLATILE=true", "FUNCTION_TYPE: "} {
		if !strings.Contains(err.Error(), fault) {
			t.Errorf("error %v, want %s in it", err, fault)
		}
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = settings(server)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "only FunctionGraph can start") {
		t.Errorf("error %v: %s", err, out)
	}
}

const topic = "urn:smn:" + ddstest.Region + ":" + ddstest.ProjectID + ":outcomes"

// fromTopic returns the event of an SMN trigger.
func fromTopic(urn, message string) []byte {
	text, _ := json.Marshal(message) // a text cannot fail
	return []byte(`{"record":[{"event_version":"1.0","smn":{"topic_urn":"` + urn + `","timestamp":"2026-11-23T21:00:00Z","message_attributes":null,"message":` + string(text) +
		`,"type":"notification","message_id":"m-1","subject":"s"},"event_subscription_urn":"urn","event_source":"smn"}],"functionname":"f","requestId":"r","timestamp":"2026-11-23T21:00:00Z"}`)
}

// count returns how many calls DDS and SMN got of a method.
func (w *world) count(method string) int {
	n := 0
	for _, call := range w.calls() {
		if call.Method == method {
			n++
		}
	}
	return n
}

// Outcomes go to a topic with the keys of their invocation. Of a message that the topic did not take, the next try only
// publishes; one that comes back is left alone.
func TestTopicAsSink(t *testing.T) {
	t.Parallel()
	w := start(t, functiongraphtest.Runtime, 0, "OUTCOME_SINK="+topic)
	other := functiongraphtest.Keys{Access: "HSTAOTHERKEY00000001", Secret: "the-secret-key-of-another-invocation-001", Token: "the-token-of-another-invocation-00000001"}
	w.dds.AddKeys(other.Access, other.Secret, other.Token)
	w.check(t, functiongraphtest.Invocation{Payload: request(0), RequestID: "first", Header: keys.Headers()}, "", `"status":"accepted"`)

	w.dds.Inject(ddstest.Answer(http.StatusForbidden, "SMN.0001", "No permission to request resources.").On(http.MethodPost))
	r, err := w.Invoke(limited(t), functiongraphtest.Invocation{Payload: request(1), RequestID: "second", Header: other.Headers()})
	check(t, r, err, "DDS.Undelivered", w.dds.Jobs()[1].ID)
	w.check(t, functiongraphtest.Invocation{Payload: request(1), RequestID: "second", Header: other.Headers()}, "", w.dds.Jobs()[1].ID)
	if deleted, posted := w.count(http.MethodDelete), w.count(http.MethodPost); deleted != 2 || posted != 3 {
		t.Errorf("%d deletions and %d messages sent, want 2 and 3", deleted, posted)
	}
	messages := w.dds.Messages()
	for i, want := range []string{keys.Access, other.Access} {
		if m := messages[i]; m.AccessKey != want || m.TopicURN != topic || m.Attributes["status"] != "accepted" || !strings.Contains(m.Message, w.dds.Jobs()[i].ID) {
			t.Errorf("message %+v", m)
		}
	}

	before := len(w.calls())
	w.check(t, functiongraphtest.Invocation{Payload: fromTopic(topic+"_copy", messages[0].Message), RequestID: "back", Header: keys.Headers(), Async: true}, "", "")
	w.check(t, functiongraphtest.Invocation{Payload: fromTopic(topic, string(request(2))), RequestID: "loop", Header: keys.Headers(), Async: true}, "DDS.Undelivered", "")
	if n := len(w.calls()) - before; n != 0 {
		t.Errorf("%d calls", n)
	}
	if err := w.Terminate(); err != nil {
		t.Fatal(err)
	}
	out := w.Output()
	for _, line := range []string{"needs the permission smn:topic:publish: SMN.0001", "own outcome events came in", "OUTCOME_SINK is where these requests come from"} {
		if !strings.Contains(out, line) {
			t.Errorf("the log does not say %q", line)
		}
	}
	for _, canary := range []string{keys.Secret, keys.Token, keys.Access, other.Secret, other.Token, other.Access} {
		if strings.Contains(out, canary) {
			t.Errorf("%s came out", canary)
		}
	}
}

// The program carries one AWS client: that of the ledger, for GeminiDB.
func TestNoOtherAWSClientIsLinked(t *testing.T) {
	packages, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	const services = "github.com/aws/aws-sdk-go-v2/service/"
	for name := range strings.FieldsSeq(string(packages)) {
		service, isService := strings.CutPrefix(name, services)
		service, _, _ = strings.Cut(service, "/")
		if isService && service != "dynamodb" && service != "internal" || strings.HasPrefix(name, "github.com/aws/aws-lambda-go/lambda") {
			t.Errorf("cmd/functiongraph needs %s", name)
		}
	}
}

// The ledger in a table, as in GeminiDB: a request that must wait is parked, and a tick can ask what is due. A table without the
// index is refused at start, because nothing would ever work what is parked there.
func TestLedgerInATable(t *testing.T) {
	t.Parallel()
	bare := bareTable(t)
	with := append(slices.Clone(bare), "LEDGER=dynamodb://ledger")
	w := start(t, functiongraphtest.Runtime, 0, with...)
	w.dds.Inject(ddstest.Answer(http.StatusForbidden, "DBS.200019", "another operation is running").On(http.MethodDelete))
	w.check(t, functiongraphtest.Invocation{Payload: request(0), RequestID: "i", Header: keys.Headers(), Async: true}, "", `"status":"retry"`)
	w.check(t, functiongraphtest.Invocation{Payload: []byte(`{"type":"dds.backup.agenda.tick.v1"}`), RequestID: "tick", Header: keys.Headers(), Async: true}, "", `{"results":[]}`)
	if strings.Contains(w.Output(), "agenda could not be read") {
		t.Error("the tick could not read the agenda")
	}
	for fault, env := range map[string]string{
		"LEDGER: the table has no index named due":                  "",
		"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: not set; LEDGER": "AWS_SECRET_ACCESS_KEY=",
	} {
		f, err := functiongraphtest.Start(limited(t), functiongraphtest.Options{
			Binary: binary, Mode: functiongraphtest.Container, Env: settings(w.dds, append(slices.Clone(bare), env)...),
		})
		if err == nil {
			t.Fatalf("%s: it started; %v", env, f.Close())
		}
		if !strings.Contains(err.Error(), fault) || strings.Contains(err.Error(), "a-password-of-the-table") {
			t.Errorf("%s: error %v, want %s in it", env, err, fault)
		}
	}
}

// bareTable returns the settings for a ledger in a table without the index of what is due. All other tables of the
// server have it.
func bareTable(t *testing.T) []string {
	t.Helper()
	tables := new(dynamodbtest.Tables)
	if status, answer := tables.Answer("CreateTable", []byte(`{"TableName":"bare","KeySchema":[{"AttributeName":"backup"}]}`)); status != http.StatusOK {
		t.Fatalf("status %d: %s", status, answer)
	}
	server := httptest.NewServer(tables)
	t.Cleanup(server.Close)
	return []string{
		"LEDGER_ALLOW_VOLATILE=", "LEDGER=dynamodb://bare", "AWS_REGION=cn-north-4", "AWS_ACCESS_KEY_ID=user", "AWS_SECRET_ACCESS_KEY=a-password-of-the-table",
		"AWS_ENDPOINT_URL_DYNAMODB=" + server.URL,
	}
}
