package upstream_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"dds-backup-delete/bench/upstream"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger"
)

// What is measured with a ledger must be what a table does: a lease is held against others, a
// record is final, and a refusal is one of its request alone.
func TestLedger(t *testing.T) {
	up := upstream.New()
	defer up.Close()
	l := ledger.NewDynamoDB(dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(up.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
	}), "ledger", nil)
	first := &deletion.Request{ID: "1", Source: "sqs", ProjectID: "p", BackupID: "b"}
	second := &deletion.Request{ID: "2", Source: "sqs", ProjectID: "p", BackupID: "b"}

	lease, err := l.Begin(t.Context(), first, time.Minute)
	if err != nil || lease.Token == "" || lease.MaybeSent {
		t.Fatalf("%+v, %v", lease, err)
	}
	if busy, err := l.Begin(t.Context(), second, time.Minute); err != nil || busy.BusyFor <= 0 {
		t.Errorf("%+v, %v, want the lease to be held", busy, err)
	}
	refusal := deletion.Record{Request: *first, Status: deletion.NotFound, Event: []byte("{}")}
	if _, err := l.Record(t.Context(), lease.Token, false, []deletion.Record{refusal}); err != nil {
		t.Fatal(err)
	}
	if again, err := l.Begin(t.Context(), first, time.Minute); err != nil || again.Done == nil {
		t.Errorf("%+v, %v, want the refusal again", again, err)
	}
	lease, err = l.Begin(t.Context(), second, time.Minute)
	if err != nil || lease.Token == "" || lease.MaybeSent {
		t.Fatalf("%+v, %v", lease, err)
	}
	if err := l.Release(t.Context(), second, lease.Token, true); err != nil {
		t.Fatal(err)
	}
	lease, err = l.Begin(t.Context(), second, time.Minute)
	if err != nil || lease.Token == "" || !lease.MaybeSent {
		t.Fatalf("%+v, %v, want a warning", lease, err)
	}
	final := deletion.Record{Request: *second, Status: deletion.Accepted, Event: []byte("{}")}
	if _, err := l.Record(t.Context(), lease.Token, true, []deletion.Record{final}); err != nil {
		t.Fatal(err)
	}
	if done, err := l.Begin(t.Context(), first, time.Minute); err != nil || done.Done == nil || done.Done.Status != deletion.Accepted {
		t.Errorf("%+v, %v, want the final record", done, err)
	}
}
