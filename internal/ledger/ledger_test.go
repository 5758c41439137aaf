package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger"
	ddbledger "dds-backup-delete/internal/ledger/dynamodb"
	"dds-backup-delete/internal/ledger/dynamodbtest"
)

// clock is a clock that only a test moves.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.ns.Store(time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// both runs a test on each ledger: the one in memory and the one in DynamoDB.
func both(t *testing.T, test func(t *testing.T, l deletion.Ledger, c *clock)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		c := newClock()
		test(t, ledger.NewMemory(1000, c.now), c)
	})
	t.Run("DynamoDB", func(t *testing.T) {
		c := newClock()
		test(t, newDynamoDB(t, c), c)
	})
}

var tables atomic.Int64

// newDynamoDB returns a ledger in a table of its own.
func newDynamoDB(t *testing.T, c *clock) *ddbledger.Ledger {
	t.Helper()
	endpoint, table := newDynamoDBTable(t)
	return ddbledger.New(newClient(endpoint), table, c.now)
}

func newClient(endpoint string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(endpoint),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond }),
	})
}

// newDynamoDBTable creates a table: in the DynamoDB that DYNAMODB_ENDPOINT names (`make test-aws`
// starts Amazon's own DynamoDB Local), otherwise in a stand-in.
func newDynamoDBTable(t *testing.T) (endpoint, table string) {
	t.Helper()
	if endpoint = os.Getenv("DYNAMODB_ENDPOINT"); endpoint == "" {
		server := httptest.NewServer(new(dynamodbtest.Tables))
		t.Cleanup(server.Close)
		endpoint = server.URL
	}
	client := newClient(endpoint)
	table = fmt.Sprintf("ledger-%d-%d", time.Now().UnixNano(), tables.Add(1))
	if _, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:            aws.String(table),
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("backup"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("backup"), KeyType: types.KeyTypeHash}},
	}); err != nil {
		t.Fatal(err)
	}
	return endpoint, table
}

const lease = time.Minute

func request(id string) *deletion.Request {
	return &deletion.Request{ID: id, Source: "sqs", ProjectID: "project", BackupID: "backup"}
}

func record(id string, status deletion.Status, event string) deletion.Record {
	return deletion.Record{Request: *request(id), Status: status, Event: []byte(event)}
}

// begin calls Begin and expects a lease.
func begin(t *testing.T, l deletion.Ledger, id string, warned bool) string {
	t.Helper()
	b, err := l.Begin(t.Context(), request(id), lease)
	if err != nil {
		t.Fatal(err)
	}
	if b.Lease == "" || b.Record != nil || b.MaybeSent != warned {
		t.Fatalf("begin of %s: %+v, want a lease, warned: %v", id, b, warned)
	}
	return b.Lease
}

// done calls Begin and expects a record.
func done(t *testing.T, l deletion.Ledger, id string, status deletion.Status, event string) {
	t.Helper()
	b, err := l.Begin(t.Context(), request(id), lease)
	if err != nil {
		t.Fatal(err)
	}
	if b.Record == nil || b.Lease != "" || b.Record.Status != status || string(b.Record.Event) != event {
		t.Fatalf("begin of %s: %+v, want the record %s %s", id, b, status, event)
	}
}

// busy calls Begin and expects neither.
func busy(t *testing.T, l deletion.Ledger, id string, left time.Duration) {
	t.Helper()
	b, err := l.Begin(t.Context(), request(id), lease)
	if err != nil {
		t.Fatal(err)
	}
	if b.Record != nil || b.Lease != "" || b.BusyFor != left {
		t.Fatalf("begin of %s: %+v, want it busy for %v", id, b, left)
	}
}

// note calls Record and expects that the record is stored.
func note(t *testing.T, l deletion.Ledger, token string, records ...deletion.Record) {
	t.Helper()
	if recorded, err := l.Record(t.Context(), token, false, records); err != nil || recorded.Earlier != nil {
		t.Fatalf("record: earlier %+v, error %v", recorded.Earlier, err)
	}
}

func release(t *testing.T, l deletion.Ledger, token string, maybeSent bool) {
	t.Helper()
	if err := l.Release(t.Context(), request("any"), token, maybeSent); err != nil {
		t.Fatal(err)
	}
}

func TestLease(t *testing.T) {
	both(t, func(t *testing.T, l deletion.Ledger, c *clock) {
		first := begin(t, l, "r1", false)
		busy(t, l, "r1", lease) // the same request, delivered twice
		c.advance(20 * time.Second)
		busy(t, l, "r2", lease-20*time.Second)
		c.advance(lease)
		second := begin(t, l, "r2", true) // its holder died
		release(t, l, first, false)       // or was only frozen, and lost its lease
		busy(t, l, "r1", lease)
		release(t, l, second, false)
		begin(t, l, "r1", false)
	})
}

func TestReleaseWithAWarning(t *testing.T) {
	both(t, func(t *testing.T, l deletion.Ledger, _ *clock) {
		release(t, l, begin(t, l, "r1", false), true)
		release(t, l, begin(t, l, "r2", true), true)
		begin(t, l, "r3", true)
	})
}

// A lease of no duration has expired at once.
func TestLeaseOfNoTime(t *testing.T) {
	both(t, func(t *testing.T, l deletion.Ledger, _ *clock) {
		if b, err := l.Begin(t.Context(), request("r1"), 0); err != nil || b.Lease == "" {
			t.Fatalf("%+v, %v", b, err)
		}
		begin(t, l, "r2", true)
	})
}

func TestFinalForTheBackup(t *testing.T) {
	for _, status := range []deletion.Status{deletion.Accepted, deletion.Unconfirmed} {
		both(t, func(t *testing.T, l deletion.Ledger, c *clock) {
			note(t, l, begin(t, l, "r1", false), record("r1", status, `{"a":1}`))
			done(t, l, "r1", status, `{"a":1}`)
			done(t, l, "r2", status, `{"a":1}`)
			c.advance(30 * 24 * time.Hour)
			done(t, l, "r3", status, `{"a":1}`)
		})
	}
}

func TestFinalForTheRequest(t *testing.T) {
	for _, status := range []deletion.Status{deletion.NotFound, deletion.Rejected} {
		both(t, func(t *testing.T, l deletion.Ledger, _ *clock) {
			note(t, l, begin(t, l, "r1", false), record("r1", status, "one"), record("r1b", status, "twin"))
			done(t, l, "r1", status, "one")
			done(t, l, "r1b", status, "twin")
			second := begin(t, l, "r2", false)
			done(t, l, "r1", status, "one") // even if another holder has the lease
			note(t, l, second, record("r2", status, "two"))
			done(t, l, "r1", status, "one")
			done(t, l, "r2", status, "two")
			note(t, l, begin(t, l, "r3", false), record("r3", deletion.Accepted, "three"))
			done(t, l, "r1", deletion.Accepted, "three")
		})
	}
}

func TestALateJobIDUpgradesAndNeverTheReverse(t *testing.T) {
	both(t, func(t *testing.T, l deletion.Ledger, c *clock) {
		frozen := begin(t, l, "r1", false)
		c.advance(2 * lease)
		second := begin(t, l, "r1", true)
		note(t, l, second, record("r1", deletion.Unconfirmed, "unconfirmed"))
		note(t, l, frozen, record("r1", deletion.Accepted, "accepted"))
		done(t, l, "r1", deletion.Accepted, "accepted")

		for _, status := range []deletion.Status{deletion.Unconfirmed, deletion.NotFound, deletion.Rejected, deletion.Accepted} {
			recorded, err := l.Record(t.Context(), second, false, []deletion.Record{record("r1", status, "other")})
			if err != nil || recorded.Earlier == nil || recorded.Earlier.Status != deletion.Accepted || string(recorded.Earlier.Event) != "accepted" {
				t.Errorf("%s over a job id: earlier %+v, error %v", status, recorded.Earlier, err)
			}
		}
		done(t, l, "r1", deletion.Accepted, "accepted")
	})
}

func TestAJobIDNeedsNoLease(t *testing.T) {
	both(t, func(t *testing.T, l deletion.Ledger, c *clock) {
		frozen := begin(t, l, "r1", false)
		c.advance(2 * lease)
		begin(t, l, "r2", true) // another holder
		note(t, l, frozen, record("r1", deletion.Accepted, "accepted"))
		done(t, l, "r2", deletion.Accepted, "accepted")
	})
}

func TestAThawedHolderOverwritesNothing(t *testing.T) {
	both(t, func(t *testing.T, l deletion.Ledger, c *clock) {
		frozen := begin(t, l, "r1", false)
		c.advance(2 * lease)
		second := begin(t, l, "r2", true)
		for _, status := range []deletion.Status{deletion.Unconfirmed, deletion.NotFound, deletion.Rejected} {
			if _, err := l.Record(t.Context(), frozen, false, []deletion.Record{record("r1", status, "late")}); !errors.Is(err, deletion.ErrLeaseLost) {
				t.Errorf("%s without the lease: error %v", status, err)
			}
		}
		note(t, l, second, record("r2", deletion.NotFound, "two"))
		done(t, l, "r2", deletion.NotFound, "two")
	})
}

// A refusal says nothing about a DELETE that may have been sent before.
func TestARefusalKeepsTheWarning(t *testing.T) {
	both(t, func(t *testing.T, l deletion.Ledger, _ *clock) {
		token := begin(t, l, "r1", false)
		if _, err := l.Record(t.Context(), token, true, []deletion.Record{record("r1", deletion.Rejected, "one")}); err != nil {
			t.Fatal(err)
		}
		begin(t, l, "r2", true)
	})
}

// The answer to a write may be lost. Writing again must have the same result.
func TestRecordTwice(t *testing.T) {
	for _, status := range []deletion.Status{deletion.Accepted, deletion.Unconfirmed, deletion.NotFound, deletion.Rejected} {
		both(t, func(t *testing.T, l deletion.Ledger, _ *clock) {
			token := begin(t, l, "r1", false)
			note(t, l, token, record("r1", status, "one"))
			recorded, err := l.Record(t.Context(), token, false, []deletion.Record{record("r1", status, "one")})
			if err != nil || (recorded.Earlier != nil && string(recorded.Earlier.Event) != "one") {
				t.Errorf("%s again: earlier %+v, error %v", status, recorded.Earlier, err)
			}
			done(t, l, "r1", status, "one")
		})
	}
}

func TestOneOfManyGetsTheLease(t *testing.T) {
	both(t, func(t *testing.T, l deletion.Ledger, _ *clock) {
		var leases, others atomic.Int64
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				b, err := l.Begin(t.Context(), request(fmt.Sprintf("r%d", i)), lease)
				switch {
				case err != nil:
					t.Error(err)
				case b.Lease != "":
					leases.Add(1)
				default:
					others.Add(1)
				}
			})
		}
		wg.Wait()
		if leases.Load() != 1 || others.Load() != 19 {
			t.Errorf("%d leases", leases.Load())
		}
	})
}

func TestBackupsDoNotMix(t *testing.T) {
	both(t, func(t *testing.T, l deletion.Ledger, _ *clock) {
		note(t, l, begin(t, l, "r1", false), record("r1", deletion.Accepted, "one"))
		other := request("r1")
		other.BackupID = "another"
		if b, err := l.Begin(t.Context(), other, lease); err != nil || b.Lease == "" {
			t.Errorf("%+v, %v", b, err)
		}
	})
}

// If a message was delivered before and has no record, a process that died may have processed it.
func TestMemoryDoubtsRedeliveries(t *testing.T) {
	l := ledger.NewMemory(10, nil)
	r := request("r1")
	r.Redelivered = true
	if b, err := l.Begin(t.Context(), r, lease); err != nil || !b.MaybeSent {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	c := newClock()
	l := ledger.NewMemory(10, c.now)
	of := func(i int) *deletion.Request {
		return &deletion.Request{ID: "r", Source: "sqs", ProjectID: "project", BackupID: fmt.Sprintf("backup-%d", i)}
	}
	held, err := l.Begin(t.Context(), of(0), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 100; i++ {
		b, err := l.Begin(t.Context(), of(i), lease)
		if err != nil || b.Lease == "" {
			t.Fatalf("%+v, %v", b, err)
		}
		if _, err := l.Record(t.Context(), b.Lease, false, []deletion.Record{{Request: *of(i), Status: deletion.Accepted, Event: []byte("e")}}); err != nil {
			t.Fatal(err)
		}
	}
	if b, _ := l.Begin(t.Context(), of(1), lease); b.Record != nil {
		t.Error("the oldest is still remembered")
	}
	if b, _ := l.Begin(t.Context(), of(100), lease); b.Record == nil {
		t.Error("the youngest is forgotten")
	}
	if b, _ := l.Begin(t.Context(), of(0), lease); b.BusyFor == 0 {
		t.Errorf("a lease that is held was forgotten: %+v, held %+v", b, held)
	}
}

// DynamoDB removes expired items days late, so the ledger checks the expiry itself.
func TestDynamoDBForgetsInTime(t *testing.T) {
	c := newClock()
	l := newDynamoDB(t, c)
	note(t, l, begin(t, l, "r1", false), record("r1", deletion.Accepted, "one"))
	c.advance(36 * 24 * time.Hour)
	begin(t, l, "r2", false)
}

// The SDK repeats a write whose answer was lost. The result must be the same as with the answer.
func TestDynamoDBLosesItsAnswers(t *testing.T) {
	c := newClock()
	endpoint, table := newDynamoDBTable(t)
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1)%2 == 1 { // every other answer is lost after the work
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	l := ddbledger.New(newClient(server.URL), table, c.now)

	token := begin(t, l, "r1", false)
	busy(t, l, "r2", lease)
	release(t, l, token, false)
	token = begin(t, l, "r1", false)
	c.advance(2 * lease)
	second := begin(t, l, "r2", true)
	note(t, l, second, record("r2", deletion.NotFound, "two"), record("r2b", deletion.NotFound, "twin"))
	done(t, l, "r2b", deletion.NotFound, "twin")
	if recorded, err := l.Record(t.Context(), token, false, []deletion.Record{record("r1", deletion.Accepted, "one")}); err != nil || (recorded.Earlier != nil && string(recorded.Earlier.Event) != "one") {
		t.Errorf("earlier %+v, error %v", recorded.Earlier, err)
	}
	done(t, l, "r3", deletion.Accepted, "one")
}

func TestDynamoDBOutOfReach(t *testing.T) {
	client := dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String("http://127.0.0.1:1"), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
	l := ddbledger.New(client, "ledger", nil)
	if b, err := l.Begin(t.Context(), request("r1"), lease); err == nil {
		t.Errorf("a lease without a table: %+v", b)
	}
	if _, err := l.Record(t.Context(), "token", false, []deletion.Record{record("r1", deletion.Accepted, "one")}); err == nil || errors.Is(err, deletion.ErrLeaseLost) {
		t.Errorf("record: error %v", err)
	}
	if err := l.Release(t.Context(), request("r1"), "token", false); err == nil {
		t.Error("release: no error")
	}
}
