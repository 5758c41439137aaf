package dynamodb_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"dds-backup-delete/internal/deletion"
	ddbledger "dds-backup-delete/internal/ledger/dynamodb"
	"dds-backup-delete/internal/ledger/ledgertest"
)

func TestDynamoDB(t *testing.T) { ledgertest.Contract(t, newDynamoDB) }

// newDynamoDB returns a ledger in a table of its own.
func newDynamoDB(t *testing.T, now func() time.Time) deletion.Ledger {
	t.Helper()
	endpoint, table := newDynamoDBTable(t)
	return ddbledger.New(newClient(endpoint), table, now)
}

// DynamoDB removes expired items days late, so the ledger checks the expiry itself.
func TestDynamoDBForgetsInTime(t *testing.T) {
	c := ledgertest.NewClock()
	l := newDynamoDB(t, c.Now)
	ledgertest.Note(t, l, ledgertest.Begin(t, l, "r1", false), ledgertest.Record("r1", deletion.Accepted, "one"))
	c.Advance(36 * 24 * time.Hour)
	ledgertest.Begin(t, l, "r2", false)
}

// The SDK repeats a write whose answer was lost. The result must be the same as with the answer.
func TestDynamoDBLosesItsAnswers(t *testing.T) {
	c := ledgertest.NewClock()
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
	l := ddbledger.New(newClient(server.URL), table, c.Now)

	token := ledgertest.Begin(t, l, "r1", false)
	ledgertest.Busy(t, l, "r2", ledgertest.Lease)
	ledgertest.Release(t, l, token, false)
	token = ledgertest.Begin(t, l, "r1", false)
	c.Advance(2 * ledgertest.Lease)
	second := ledgertest.Begin(t, l, "r2", true)
	ledgertest.Note(t, l, second, ledgertest.Record("r2", deletion.NotFound, "two"), ledgertest.Record("r2b", deletion.NotFound, "twin"))
	ledgertest.Done(t, l, "r2b", deletion.NotFound, "twin")
	if recorded, err := l.Record(t.Context(), token, false, []deletion.Record{ledgertest.Record("r1", deletion.Accepted, "one")}); err != nil || (recorded.Earlier != nil && string(recorded.Earlier.Event) != "one") {
		t.Errorf("earlier %+v, error %v", recorded.Earlier, err)
	}
	ledgertest.Done(t, l, "r3", deletion.Accepted, "one")
}

func TestDynamoDBOutOfReach(t *testing.T) {
	client := dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String("http://127.0.0.1:1"), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
	l := ddbledger.New(client, "ledger", nil)
	if b, err := l.Begin(t.Context(), ledgertest.Request("r1"), ledgertest.Lease); err == nil {
		t.Errorf("a lease without a table: %+v", b)
	}
	if _, err := l.Record(t.Context(), "token", false, []deletion.Record{ledgertest.Record("r1", deletion.Accepted, "one")}); err == nil || errors.Is(err, deletion.ErrLeaseLost) {
		t.Errorf("record: error %v", err)
	}
	if err := l.Release(t.Context(), ledgertest.Request("r1"), "token", false); err == nil {
		t.Error("release: no error")
	}
}

// The next request trims an item that an earlier version filled with refusals.
func TestDynamoDBWorksFullItems(t *testing.T) {
	c := ledgertest.NewClock()
	endpoint, table := newDynamoDBTable(t)
	client := newClient(endpoint)
	l := ddbledger.New(client, table, c.Now)
	refused := make(map[string]types.AttributeValue)
	for i := range 62 {
		refused[fmt.Sprintf("%032d", i)] = &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
			"status": &types.AttributeValueMemberS{Value: "not_found"}, "event": &types.AttributeValueMemberS{Value: ledgertest.Long("e")},
			"at": &types.AttributeValueMemberN{Value: fmt.Sprint(c.Now().UnixMilli())},
		}}
	}
	if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(table), Item: map[string]types.AttributeValue{
		"backup": &types.AttributeValueMemberS{Value: "project/backup"}, "refused": &types.AttributeValueMemberM{Value: refused},
		"expires_at": &types.AttributeValueMemberN{Value: fmt.Sprint(c.Now().Add(time.Hour).Unix())},
	}}); err != nil {
		t.Fatal(err)
	}
	ledgertest.Refuse(t, l, "r1", ledgertest.Long("r1"))
	ledgertest.Done(t, l, "r1", deletion.NotFound, ledgertest.Long("r1"))
}
