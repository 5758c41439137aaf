package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	ddbledger "dds-backup-delete/internal/ledger/dynamodb"
	"dds-backup-delete/internal/ledger/dynamodbtest"
	"dds-backup-delete/internal/ledger/ledgertest"
)

const tickPayload = `{"type":"dds.backup.agenda.tick.v1"}`

// life is a function that follows deletions, with a table that outlives it.
type life struct {
	*world

	ledger deletion.Ledger
	env    []string
	ahead  atomic.Int64 // nanoseconds that the clock of DDS is ahead
	trips  trips
	read   int // of the events on the bus
}

// startLife starts a function with FOLLOW. The variables in env come last.
func startLife(t *testing.T, o ddstest.Options, env ...string) *life {
	t.Helper()
	endpoint, table := dynamodbtest.NewTable(t)
	l := &life{ledger: ddbledger.New(dynamodbtest.NewClient(endpoint), table, nil)}
	o.Now = func() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())) }
	front := httptest.NewServer(l.trips.of(func(r *http.Request) string {
		return strings.TrimPrefix(r.Header.Get("X-Amz-Target"), dynamodbtest.TargetPrefix)
	}, proxyTo(t, endpoint)))
	t.Cleanup(front.Close)
	l.env = append([]string{
		"FOLLOW=true", "REQUIRE_MANUAL=true", "LEDGER=dynamodb://" + table, "AWS_ENDPOINT_URL_DYNAMODB=" + front.URL,
	}, env...)
	l.world = startWith(t, o, nil, l.env...)
	return l
}

// later lets time pass for the ledger and for DDS, and then asks for a tick. The function's own clock goes on as it is.
func (l *life) later(t *testing.T, passed time.Duration) {
	t.Helper()
	l.ahead.Add(int64(passed))
	ledgertest.Pass(t, l.ledger, passed)
	if result := l.invoke(t, []byte(tickPayload)); result.Err != nil || string(result.Payload) != results() {
		t.Fatalf("tick: reply %s, error %+v", result.Payload, result.Err)
	}
}

// news returns the data of the events since it was called last.
func (l *life) news(t *testing.T) (all []deletion.Data) {
	t.Helper()
	for _, entry := range l.bus.Taken()[l.read:] {
		l.read++
		var e struct{ Data deletion.Data }
		if err := json.Unmarshal([]byte(entry.Detail), &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Data)
	}
	return all
}

// wantNews checks the statuses of the events since the last call, and returns their data.
func (l *life) wantNews(t *testing.T, want ...deletion.Status) []deletion.Data {
	t.Helper()
	all := l.news(t)
	var got []deletion.Status
	for _, d := range all {
		got = append(got, d.Status)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	return all
}

// answer is what an HTTP call got.
type answer struct {
	StatusCode int
	Headers    map[string]string
	Body       string
}

// call makes the HTTP call of a sample for a backup.
func (l *life) call(t *testing.T, file, backup string) (a answer) {
	t.Helper()
	payload, err := os.ReadFile("../../events/" + file)
	if err != nil {
		t.Fatal(err)
	}
	result := l.invoke(t, []byte(strings.ReplaceAll(string(payload), "a17e4f02c8d94b3fa6f0e5d4c3b2a103br02", backup)))
	if err := json.Unmarshal(result.Payload, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// state asks for the state of a backup over HTTP.
func (l *life) state(t *testing.T, backup string) (s deletion.State) {
	t.Helper()
	a := l.call(t, "apigateway-http-status.json", backup)
	if a.StatusCode != http.StatusOK {
		t.Fatalf("answer %+v", a)
	}
	if err := json.Unmarshal([]byte(a.Body), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// queued is a delivery of one message of a queue.
func queued(id, body string, receives int) []byte {
	text, err := json.Marshal(map[string]any{"Records": []any{map[string]any{
		"messageId": id, "receiptHandle": "r", "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:requests",
		"attributes": map[string]string{"ApproximateReceiveCount": fmt.Sprint(receives)}, "body": body,
	}}})
	if err != nil {
		panic(err)
	}
	return text
}

// published is a message of a topic that invokes the function.
func published(id, body string) []byte {
	text, err := json.Marshal(map[string]any{"Records": []any{map[string]any{
		"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": "arn:aws:sns:eu-central-1:123456789012:requests:e6c639fa-273f-460a-a3d5-a5b51e6a2148",
		"Sns": map[string]any{
			"Type": "Notification", "MessageId": id, "TopicArn": "arn:aws:sns:eu-central-1:123456789012:requests", "Message": body,
			"Timestamp": "2026-11-23T21:00:00.123Z", "MessageAttributes": map[string]any{},
		},
	}}})
	if err != nil {
		panic(err)
	}
	return text
}

func asksFor(backup string) string { return `{"backup_id":"` + backup + `"}` }

// wantReply sends a payload and checks the reply.
func (l *life) wantReply(t *testing.T, payload []byte, want string) {
	t.Helper()
	if result := l.invoke(t, payload); result.Err != nil || !strings.Contains(string(result.Payload), want) {
		t.Fatalf("reply %s, error %+v, want %s", result.Payload, result.Err, want)
	}
}

// busy is what DDS answers while it restores the instance.
func busy(backup string) ddstest.Fault {
	return ddstest.Answer(http.StatusBadRequest, "DBS.201319", "The backup is being used for a restoration.").For(backup).On(http.MethodDelete)
}

// deletes counts the DELETEs that DDS got for a backup.
func (l *life) deletes(backup string) (n int) {
	for _, c := range l.dds.Calls() {
		if c.Method == http.MethodDelete && c.BackupID == backup {
			n++
		}
	}
	return n
}

// A deletion is accepted, then followed until the backup is gone, and has one end. The state over HTTP tells it at
// every step.
func TestFollowsADeletionToItsEnd(t *testing.T) {
	l := startLife(t, ddstest.Options{DeletionTime: 10 * time.Minute})
	backup := sample(0)
	if a := l.call(t, "apigateway-http-status.json", backup); a.StatusCode != http.StatusNotFound {
		t.Errorf("before the request: answer %+v", a)
	}
	l.wantReply(t, queued("m", asksFor(backup), 1), allDone)
	job := l.wantNews(t, deletion.Accepted)[0].JobID
	if s := l.state(t, backup); s.State != deletion.PhaseAccepted || s.Attempt != 1 || s.JobID != job || s.NextAt.Before(time.Now()) {
		t.Errorf("after the request: state %+v", s)
	}

	l.later(t, 30*time.Second) // too early
	l.later(t, time.Minute)    // being deleted
	l.later(t, 10*time.Minute) // gone, for the first time
	l.wantNews(t)
	if s := l.state(t, backup); s.State != deletion.PhaseAccepted || s.End != nil {
		t.Errorf("gone for the first time: state %+v", s)
	}
	l.later(t, 4*time.Minute) // not long enough
	l.wantNews(t)
	l.later(t, 2*time.Minute)
	end := l.wantNews(t, deletion.Completed)[0]
	if took := 11*60 + 30; end.JobID != job || end.BackupID != backup || end.Attempt != 1 || end.SizeKB == 0 || end.InstanceID == "" ||
		end.Seconds < int64(took) || end.Seconds > int64(took)+30 {
		t.Errorf("end %+v, job %s", end, job)
	}
	if s := l.state(t, backup); s.State != deletion.Phase(deletion.Completed) || s.End == nil || s.End.Status != deletion.Completed || !s.NextAt.IsZero() {
		t.Errorf("at the end: state %+v", s)
	}
	for range 3 {
		l.later(t, 24*time.Hour)
	}
	l.wantNews(t)

	a := l.call(t, "apigateway-http-delete.json", backup)
	if a.StatusCode != http.StatusAccepted || !strings.Contains(a.Body, `"replayed":true`) || !strings.HasSuffix(a.Headers["Location"], "/backups/"+backup) {
		t.Errorf("a repeat: answer %+v", a)
	}
	l.wantNews(t, deletion.Accepted)
	if n := l.deletes(backup); n != 1 {
		t.Errorf("%d DELETEs", n)
	}
}

// A job that fails is an end, after which a new request deletes again. A late duplicate of the old one does not.
func TestFailedDeletionCanBeRepeated(t *testing.T) {
	l := startLife(t, ddstest.Options{DeletionTime: 10 * time.Minute})
	backup := sample(0)
	l.dds.FailJobs("the storage is busy", backup)
	l.wantReply(t, queued("first", asksFor(backup), 1), allDone)
	first := l.wantNews(t, deletion.Accepted)[0]
	for range 4 {
		l.later(t, 6*time.Minute)
	}
	end := l.wantNews(t, deletion.Failed)[0]
	if end.JobID != first.JobID || end.Attempt != 1 || end.Reason != "job_failed" || end.Error == nil || !strings.Contains(end.Error.Message, "the storage is busy") {
		t.Errorf("end %+v", end)
	}
	if s := l.state(t, backup); s.State != deletion.Phase(deletion.Failed) || s.Attempt != 1 {
		t.Errorf("state %+v", s)
	}

	l.dds.FailJobs("", backup)
	l.wantReply(t, queued("first", asksFor(backup), 2), allDone)
	if again := l.wantNews(t, deletion.Accepted)[0]; again.JobID != first.JobID {
		t.Errorf("a duplicate of the old request: %+v, first %+v", again, first)
	}
	if n := l.deletes(backup); n != 1 {
		t.Fatalf("%d DELETEs before the new request", n)
	}
	l.wantReply(t, queued("second", asksFor(backup), 1), allDone)
	if second := l.wantNews(t, deletion.Accepted)[0]; second.JobID == first.JobID || second.Attempt != 2 {
		t.Errorf("the new request: %+v, first %+v", second, first)
	}
	for range 4 {
		l.later(t, 11*time.Minute)
	}
	if end := l.wantNews(t, deletion.Completed)[0]; end.Attempt != 2 {
		t.Errorf("end %+v", end)
	}
	if n := l.deletes(backup); n != 2 {
		t.Errorf("%d DELETEs", n)
	}
}

// What a topic brings while DDS is busy waits in the ledger, and a tick works it. It outlives the process.
func TestWhatATopicBringsWaits(t *testing.T) {
	l := startLife(t, ddstest.Options{})
	backup := sample(0)
	l.dds.Inject(busy(backup).Repeat(2))
	l.wantReply(t, published("n", asksFor(backup)), `"status":"retry"`)
	l.wantNews(t)
	s := l.state(t, backup)
	if s.State != deletion.PhaseWaiting || s.Waiting != 1 || s.Class != deletion.ClassConflict || s.Code != "DBS.201319" || s.NextAt.Before(time.Now()) {
		t.Errorf("state %+v", s)
	}
	l.later(t, 0) // nothing is due yet
	if n := l.deletes(backup); n != 1 {
		t.Errorf("%d DELETEs before it is due", n)
	}
	l.later(t, time.Hour) // busy again
	l.wantNews(t)
	l.later(t, time.Hour)
	l.wantNews(t, deletion.Accepted)
	if s := l.state(t, backup); s.State != deletion.PhaseAccepted || s.Waiting != 0 {
		t.Errorf("state %+v", s)
	}
	if n := l.deletes(backup); n != 3 {
		t.Errorf("%d DELETEs", n)
	}
}

// The last receive of a queue is told by an event, as the dead-letter queue gives no reason.
func TestLastReceiveIsAbandoned(t *testing.T) {
	l := startLife(t, ddstest.Options{}, "QUEUE_MAX_RECEIVES=3")
	backup := sample(0)
	l.dds.Inject(busy(backup).Repeat(-1))
	for receives := 1; receives <= 2; receives++ {
		l.wantReply(t, queued("m", asksFor(backup), receives), `"itemIdentifier":"m"`)
		l.wantNews(t)
	}
	l.wantReply(t, queued("m", asksFor(backup), 3), `"itemIdentifier":"m"`)
	all := l.news(t)
	if len(all) == 0 { // then a tick publishes it
		l.later(t, 2*time.Minute)
		all = l.news(t)
	}
	if len(all) != 1 || all[0].Status != deletion.Abandoned || all[0].Tries != 3 || all[0].Error == nil || all[0].Error.Code != "DBS.201319" {
		t.Errorf("events %+v", all)
	}
	// It is not final: the message is moved back from the dead-letter queue.
	l.dds.Heal()
	l.wantReply(t, queued("m", asksFor(backup), 1), allDone)
	l.wantNews(t, deletion.Accepted)
	l.later(t, time.Minute)
	l.wantNews(t)
}

// A kill in the last receive costs no event: its begin made it due.
func TestKilledLastReceiveIsAbandoned(t *testing.T) {
	l := startLife(t, ddstest.Options{}, "QUEUE_MAX_RECEIVES=3")
	backup := sample(0)
	deleting := make(chan struct{})
	l.trips.on = func(trip string) {
		if trip == "PutItem" { // the lease; the DELETE hangs
			close(deleting)
			l.trips.on = nil
		}
	}
	l.dds.Inject(ddstest.Slow(time.Hour).For(backup).On(http.MethodDelete))
	go func() {
		<-deleting
		for l.deletesStarted(backup) == 0 {
			time.Sleep(time.Millisecond)
		}
		_ = l.function.Kill()
	}()
	if _, err := l.function.Invoke(t.Context(), invocationOf(queued("m", asksFor(backup), 3))); err == nil {
		t.Fatal("it was not killed")
	}
	l.restart(t)
	l.later(t, 10*time.Minute)
	all := l.wantNews(t, deletion.Abandoned)
	if all[0].Tries != 3 || all[0].RequestID != "m" {
		t.Errorf("event %+v", all[0])
	}
}

// A request that has expired is rejected. One that was answered before that is answered again.
func TestExpiredRequest(t *testing.T) {
	l := startLife(t, ddstest.Options{})
	body := func(backup string, at time.Time) string {
		return fmt.Sprintf(`{"backup_id":%q,"expires_at":%q}`, backup, at.UTC().Format(time.RFC3339))
	}
	past := time.Now().Add(-time.Minute)
	calls := len(l.dds.Calls())
	l.wantReply(t, queued("late", body(sample(0), past), 1), allDone)
	if d := l.wantNews(t, deletion.Rejected)[0]; d.Error == nil || d.Error.Rule != "expired" {
		t.Errorf("event %+v", d)
	}
	if more := l.dds.Calls()[calls:]; len(more) != 0 {
		t.Errorf("calls %+v", more)
	}
	l.wantReply(t, queued("early", body(sample(1), time.Now().Add(time.Hour)), 1), allDone)
	l.wantReply(t, queued("early", body(sample(1), past), 2), allDone)
	l.wantNews(t, deletion.Accepted, deletion.Accepted)
}

// STOP_DELETIONS stops the deletions of ticks, too, but not their checks.
func TestStoppedDeletionsWait(t *testing.T) {
	l := startLife(t, ddstest.Options{})
	l.wantReply(t, queued("before", asksFor(sample(0)), 1), allDone)
	l.wantNews(t, deletion.Accepted)
	l.restart(t, "STOP_DELETIONS=true")
	l.wantReply(t, published("n", asksFor(sample(1))), `"status":"retry"`)
	for range 3 {
		l.later(t, 2*time.Hour)
	}
	l.wantNews(t, deletion.Completed)
	if n := l.deletes(sample(1)); n != 0 {
		t.Errorf("%d DELETEs while deletions are stopped", n)
	}
	l.restart(t)
	l.later(t, 0)
	l.wantNews(t, deletion.Accepted)
}

// trips is the order of all calls to services.
type trips struct {
	mu  sync.Mutex
	all []string
	on  func(trip string)
}

// of returns a handler that notes a call as what name says, and passes it on.
func (s *trips) of(name func(*http.Request) string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead { // that only opens a connection
			s.mu.Lock()
			s.all = append(s.all, name(r))
			on := s.on
			s.mu.Unlock()
			if on != nil {
				on(name(r))
			}
		}
		next.ServeHTTP(w, r)
	})
}

// take returns the trips since it was called last.
func (s *trips) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := slices.Clone(s.all)
	s.all = nil
	return taken
}
