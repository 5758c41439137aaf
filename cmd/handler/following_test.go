package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/lambdatest"
	ddbledger "dds-backup-delete/internal/ledger/dynamodb"
	"dds-backup-delete/internal/ledger/dynamodbtest"
	"dds-backup-delete/internal/ledger/ledgertest"
)

// ledgerTable is a simulated DynamoDB that counts its calls, and the ledger in it.
type ledgerTable struct {
	dynamodbtest.Tables

	url    string
	ledger deletion.Ledger

	mu     sync.Mutex
	calls  map[string]int // by operation
	writes int            // that are taken; 0 for all
}

func (d *ledgerTable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.calls[strings.TrimPrefix(r.Header.Get("X-Amz-Target"), dynamodbtest.TargetPrefix)]++
	full := d.writes > 0 && d.calls["PutItem"] > d.writes
	d.mu.Unlock()
	if full {
		http.Error(w, `{"__type":"com.amazonaws.dynamodb.v20120810#AccessDeniedException"}`, http.StatusBadRequest)
		return
	}
	d.Tables.ServeHTTP(w, r)
}

func newTable(t *testing.T) *ledgerTable {
	t.Helper()
	d := &ledgerTable{calls: make(map[string]int)}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	d.url = server.URL
	d.ledger = ddbledger.New(dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(server.URL),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}), "ledger", nil)
	return d
}

// follows is a world whose function follows deletions.
type follows struct {
	*world

	table *ledgerTable
}

func startFollowing(t *testing.T, env ...string) *follows {
	t.Helper()
	d := newTable(t)
	return &follows{start(t, nil, append([]string{
		"LEDGER=dynamodb://ledger", "AWS_ENDPOINT_URL_DYNAMODB=" + d.url, "REQUIRE_MANUAL=true", "FOLLOW=true",
	}, env...)...), d}
}

// later lets time pass and then sends a tick.
func (f *follows) later(t *testing.T, d time.Duration) {
	t.Helper()
	ledgertest.Pass(t, f.table.ledger, d)
	if r := f.invoke(t, []byte(`{"type":"dds.backup.agenda.tick.v1"}`)); r.Err != nil {
		t.Fatalf("a tick failed: %+v", r.Err)
	}
}

// state asks for the state of a backup, through API Gateway.
func (f *follows) state(t *testing.T, backup string) (status int, state deletion.State) {
	t.Helper()
	r := f.invoke(t, fmt.Appendf(nil, `{"version":"2.0","rawPath":"/backups/%s","requestContext":{"requestId":"r","http":{"method":"GET","path":"/backups/%[1]s"}}}`, backup))
	var http struct {
		StatusCode int
		Body       string
	}
	if err := json.Unmarshal(r.Payload, &http); err != nil {
		t.Fatalf("%s: %v", r.Payload, err)
	}
	if err := json.Unmarshal([]byte(http.Body), &state); err != nil && http.StatusCode == 200 {
		t.Fatal(err)
	}
	return http.StatusCode, state
}

// data returns the data of the published events of a status.
func (f *follows) data(t *testing.T, status deletion.Status) (all []deletion.Data) {
	t.Helper()
	for _, entry := range f.bus.Taken() {
		var e struct{ Data deletion.Data }
		if err := json.Unmarshal([]byte(entry.Detail), &e); err != nil {
			t.Fatal(err)
		}
		if e.Data.Status == status {
			all = append(all, e.Data)
		}
	}
	return all
}

// received is an SQS batch with one request.
func received(id, backup string, receives int) []byte {
	return fmt.Appendf(nil, `{"Records":[{"messageId":%q,"receiptHandle":"r","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-central-1:123456789012:requests",`+
		`"attributes":{"ApproximateReceiveCount":"%d"},"body":"{\"backup_id\":\"%s\"}"}]}`, id, receives, backup)
}

// notification is a message of a topic with a request.
func notification(id, backup string) []byte {
	return fmt.Appendf(nil, `{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","Sns":{"MessageId":%q,"TopicArn":"arn:aws:sns:eu-central-1:123456789012:requests","Message":"{\"backup_id\":\"%s\"}"}}]}`, id, backup)
}

// A deletion is followed from the request to its end, and its state can be asked for all the while.
func TestFollowedToItsEnd(t *testing.T) {
	f := startFollowing(t)
	if status, _ := f.state(t, sample(0)); status != http.StatusNotFound {
		t.Errorf("before: status %d", status)
	}
	f.invoke(t, received("m", sample(0), 1))
	if _, st := f.state(t, sample(0)); st.State != deletion.PhaseAccepted || st.JobID == "" || st.NextAt.IsZero() {
		t.Errorf("accepted: %+v", st)
	}
	f.later(t, 2*time.Minute)
	f.later(t, 6*time.Minute)
	f.later(t, time.Hour)
	ends := f.data(t, deletion.Completed)
	if len(ends) != 1 || ends[0].JobID == "" || ends[0].SizeKB == 0 || ends[0].InstanceID == "" || ends[0].RequestID != "m" || ends[0].Seconds < 60 {
		t.Fatalf("ends %+v", ends)
	}
	if _, st := f.state(t, sample(0)); st.State != deletion.Phase(deletion.Completed) || st.End == nil || !st.NextAt.IsZero() {
		t.Errorf("completed: %+v", st)
	}
	r := f.invoke(t, fmt.Appendf(nil, `{"backup_id":%q}`, sample(0)))
	if !strings.Contains(string(r.Payload), `"replayed":true`) {
		t.Errorf("a caller afterwards: %s %+v", r.Payload, r.Err)
	}
}

// A deletion that fails can be asked for again.
func TestAnAttemptThatFails(t *testing.T) {
	f := startFollowing(t)
	f.dds.FailJobs("the disk is full", sample(0))
	f.invoke(t, received("m1", sample(0), 1))
	f.later(t, 2*time.Minute)
	f.later(t, 10*time.Minute)
	ends := f.data(t, deletion.Failed)
	if len(ends) != 1 || ends[0].Reason != "job_failed" || !strings.Contains(ends[0].Error.Message, "the disk is full") {
		t.Fatalf("ends %+v", ends)
	}
	f.invoke(t, received("m1", sample(0), 2)) // a late duplicate
	f.invoke(t, received("m2", sample(0), 1))
	if n := len(f.dds.Jobs()); n != 2 {
		t.Errorf("%d jobs", n)
	}
	var attempts []int
	for _, d := range f.data(t, deletion.Accepted) {
		attempts = append(attempts, d.Attempt)
	}
	if diff := cmp.Diff([]int{0, 0, 2}, attempts); diff != "" { // the first one, its duplicate, and the next attempt
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}

// busy is DDS's answer while a restore uses the backup.
func busy(backup string) ddstest.Fault {
	return ddstest.Answer(400, "DBS.201319", "a restore is running").On(http.MethodDelete).For(backup)
}

// What a topic asks for while the backup is busy waits in the ledger, and its source gets a success.
func TestATopicWhileTheBackupIsBusy(t *testing.T) {
	f := startFollowing(t)
	f.dds.Inject(busy(sample(0)))
	r := f.invoke(t, notification("n", sample(0)))
	if r.Err != nil || !strings.Contains(string(r.Payload), `"status":"retry"`) {
		t.Fatalf("reply %s %+v", r.Payload, r.Err)
	}
	if _, st := f.state(t, sample(0)); st.State != deletion.PhaseWaiting || st.Waiting != 1 || st.Code != "DBS.201319" {
		t.Errorf("waiting: %+v", st)
	}
	f.later(t, time.Minute)
	if n := len(f.data(t, deletion.Accepted)); n != 0 {
		t.Errorf("%d accepted too early", n)
	}
	f.later(t, 5*time.Minute)
	if got := f.data(t, deletion.Accepted); len(got) != 1 || got[0].RequestID != "n" {
		t.Errorf("accepted: %+v", got)
	}
}

// The last receive of a message that cannot be done becomes an event.
func TestTheLastReceiveIsAbandoned(t *testing.T) {
	f := startFollowing(t, "QUEUE_MAX_RECEIVES=3")
	f.dds.Inject(busy(sample(0)).Repeat(-1))
	for receives := 1; receives <= 3; receives++ {
		if r := f.invoke(t, received("m", sample(0), receives)); !strings.Contains(string(r.Payload), `"itemIdentifier":"m"`) {
			t.Fatalf("receive %d: %s", receives, r.Payload)
		}
		f.later(t, time.Minute)
	}
	got := f.data(t, deletion.Abandoned)
	if len(got) != 1 || got[0].Tries != 3 || got[0].Error.Code != "DBS.201319" || got[0].RequestID != "m" {
		t.Errorf("abandoned: %+v", got)
	}
}

// A request that has expired is refused by its rule, and while deletions are stopped none is sent.
func TestWhatIsNotDeleted(t *testing.T) {
	f := startFollowing(t)
	r := f.invoke(t, fmt.Appendf(nil, `{"version":"2.0","rawPath":"/deletions","headers":{"content-type":"application/json"},`+
		`"requestContext":{"requestId":"r","http":{"method":"POST","path":"/deletions"}},"body":"{\"backup_id\":\"%s\",\"expires_at\":\"2026-01-01T00:00:00Z\"}"}`, sample(0)))
	if !strings.Contains(string(r.Payload), `"statusCode":400`) {
		t.Errorf("expired: %s", r.Payload)
	}
	if got := f.data(t, deletion.Rejected); len(got) != 1 || got[0].Error.Rule != "expired" {
		t.Errorf("rejected: %+v", got)
	}
	stopped := startFollowing(t, "STOP_DELETIONS=true")
	if r := stopped.invoke(t, received("m", sample(1), 1)); !strings.Contains(string(r.Payload), `"itemIdentifier":"m"`) {
		t.Errorf("stopped: %s", r.Payload)
	}
	stopped.invoke(t, notification("n", sample(1)))
	stopped.later(t, 24*time.Hour)
	for _, c := range append(f.dds.Calls(), stopped.dds.Calls()...) {
		if c.Method == http.MethodDelete {
			t.Errorf("a DELETE was sent: %+v", c)
		}
	}
}

// What a deletion costs: a look-up, two writes and no read of the ledger, a DELETE, and an event. Where nobody delivers
// again there is one write more.
func TestCallsOfADeletion(t *testing.T) {
	for name, tc := range map[string]struct {
		payload []byte
		writes  int
	}{
		"queue": {received("m", sample(0), 1), 2},
		"topic": {notification("n", sample(0)), 3},
		"http":  {fmt.Appendf(nil, `{"version":"2.0","rawPath":"/backups/%s","requestContext":{"requestId":"r","http":{"method":"DELETE","path":"/backups/%[1]s"}}}`, sample(0)), 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFollowing(t)
			before := len(f.dds.Calls())
			f.invoke(t, tc.payload)
			var calls []string
			for _, c := range f.dds.Calls()[before:] {
				calls = append(calls, c.Method)
			}
			if diff := cmp.Diff([]string{"GET", "DELETE"}, calls); diff != "" {
				t.Errorf("calls of DDS (-want +got):\n%s", diff)
			}
			f.table.mu.Lock()
			defer f.table.mu.Unlock()
			if diff := cmp.Diff(map[string]int{"PutItem": tc.writes}, f.table.calls, cmp.Transformer("operations", func(m map[string]int) map[string]int {
				delete(m, "") // connections that were only opened
				return m
			})); diff != "" {
				t.Errorf("calls of the ledger (-want +got):\n%s", diff)
			}
			if n := len(f.bus.Taken()); n != 1 {
				t.Errorf("%d events", n)
			}
		})
	}
}

// A process that is killed after the DELETE leaves work that a tick finishes, though nobody delivers again.
func TestAKillAfterTheDelete(t *testing.T) {
	d := newTable(t)
	env := []string{"LEDGER=dynamodb://ledger", "AWS_ENDPOINT_URL_DYNAMODB=" + d.url, "REQUIRE_MANUAL=true", "FOLLOW=true"}
	f := &follows{start(t, nil, env...), d}
	f.dds.Inject(ddstest.Slow(time.Hour).On(http.MethodDelete).For(sample(0)))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := f.function.Invoke(ctx, lambdatest.Invocation{Payload: notification("n", sample(0)), RequestID: "invocation"})
		done <- err
	}()
	for d.operations("PutItem") == 0 { // until the lease is taken
		time.Sleep(time.Millisecond)
	}
	f.end(t)
	<-done
	f.dds.Heal()
	again := &follows{startAt(t, f.world, env...), d}
	again.later(t, time.Minute)
	again.later(t, 20*time.Minute)
	if got := append(again.data(t, deletion.Accepted), again.data(t, deletion.Unconfirmed)...); len(got) != 1 {
		t.Errorf("outcomes %+v", got)
	}
}

func (d *ledgerTable) operations(name string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls[name]
}
