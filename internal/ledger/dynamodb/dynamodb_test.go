package dynamodb_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"dds-backup-delete/internal/deletion"
	ddbledger "dds-backup-delete/internal/ledger/dynamodb"
	"dds-backup-delete/internal/ledger/ledgertest"
)

var key = deletion.Key{ProjectID: "project", BackupID: "backup"}

func TestItems(t *testing.T) {
	ledgertest.Contract(t, func(t *testing.T, now func() time.Time) deletion.Ledger {
		t.Helper()
		endpoint, table := newDynamoDBTable(t)
		return ddbledger.New(newClient(endpoint), table, now)
	})
}

// A table that is not Amazon's may not answer a failed condition with the item. Then it is read.
func TestItemsOfATableThatAnswersWithoutThem(t *testing.T) {
	ledgertest.Contract(t, func(t *testing.T, now func() time.Time) deletion.Ledger {
		t.Helper()
		endpoint, table := newDynamoDBTable(t)
		target, err := url.Parse(endpoint)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			body, err := io.ReadAll(r.In.Body)
			if err != nil {
				t.Error(err)
			}
			body = bytes.ReplaceAll(body, []byte(`"ReturnValuesOnConditionCheckFailure":"ALL_OLD"`), []byte(`"ReturnValuesOnConditionCheckFailure":"NONE"`))
			r.Out.Body, r.Out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}})
		t.Cleanup(server.Close)
		return ddbledger.New(newClient(server.URL), table, now)
	})
}

// The SDK repeats a write whose answer was lost. The result must be the same as with the answer.
func TestItemsLoseTheirAnswers(t *testing.T) {
	endpoint, table := newDynamoDBTable(t)
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var lost atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Amz-Sdk-Request"), "attempt=1;") { // its answer is lost after the work
			lost.Add(1)
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	l := ddbledger.New(newClient(server.URL), table, nil)

	first, second := ledgertest.FullItem(key.BackupID), &deletion.Item{Key: key}
	ledgertest.Swap(t, l, nil, first)
	ledgertest.Same(t, ledgertest.Get(t, l, key), first)
	ledgertest.Swap(t, l, first, second)
	ledgertest.Same(t, ledgertest.Conflict(t, l, first, &deletion.Item{Key: key}), second)
	if lost.Load() < 4 {
		t.Errorf("%d answers were lost, want one for each call", lost.Load())
	}
}

func TestItemsOutOfReach(t *testing.T) {
	client := dynamodb.New(newClient("http://127.0.0.1:1").Options(), func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} })
	l := ddbledger.New(client, "ledger", nil)
	_, getErr := l.Get(t.Context(), key)
	_, swapErr := l.Swap(t.Context(), nil, &deletion.Item{Key: key})
	_, _, dueErr := l.Due(t.Context(), deletion.Checks, time.Now(), 1, "")
	for call, err := range map[string]error{"get": getErr, "swap": swapErr, "due": dueErr} {
		if err == nil || !strings.HasPrefix(err.Error(), "ledger: ") {
			t.Errorf("%s: error %v", call, err)
		}
	}
}

// Whoever upgrades the code without the table is told what is missing. Deletions go on as before.
func TestItemsWithoutAnIndex(t *testing.T) {
	endpoint, table := newDynamoDBTable(t, func(in *dynamodb.CreateTableInput) {
		in.AttributeDefinitions, in.GlobalSecondaryIndexes = in.AttributeDefinitions[:1], nil
	})
	l := ddbledger.New(newClient(endpoint), table, nil)
	ledgertest.Swap(t, l, nil, ledgertest.FullItem(key.BackupID))
	_, _, err := l.Due(t.Context(), deletion.Checks, time.Now(), 1, "")
	if err == nil || !strings.HasPrefix(err.Error(), "LEDGER: the table has no index named due") {
		t.Errorf("error %v", err)
	}
}

// What is too large for DynamoDB never gets there, and leaves what is there.
func TestItemsAreLimited(t *testing.T) {
	endpoint, table := newDynamoDBTable(t)
	l := ddbledger.New(newClient(endpoint), table, nil)
	item := func(size int) *deletion.Item {
		return &deletion.Item{Key: key, Answers: map[string]deletion.Answer{
			"one": {Status: deletion.NotFound, Event: strings.Repeat("x", size/2)}, "two": {Status: deletion.NotFound, Event: strings.Repeat("ü", size/4)},
		}}
	}
	large := item(400<<10 - 300)
	ledgertest.Swap(t, l, nil, large)
	_, err := l.Swap(t.Context(), large, item(400<<10))
	if err == nil || !strings.Contains(err.Error(), "bytes; expected at most 409600") {
		t.Errorf("error %v", err)
	}
	ledgertest.Same(t, ledgertest.Get(t, l, key), large)
}
