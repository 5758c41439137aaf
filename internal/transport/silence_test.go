package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"dds-backup-delete/internal/arn"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
	ddbledger "dds-backup-delete/internal/ledger/dynamodb"
	"dds-backup-delete/internal/secret"
	"dds-backup-delete/internal/sink"
	"dds-backup-delete/internal/sink/awssink"
	"dds-backup-delete/internal/transport"
)

const job = "1b8c2b1c-6d32-4f0f-9d1e-3b6b2c1f0a01"

// startDDS returns a client of a DDS that answers each DELETE after some time.
func startDDS(t *testing.T, after time.Duration) (*network, *dds.Client, *atomic.Int32) {
	t.Helper()
	deletes := new(atomic.Int32)
	n := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			deletes.Add(1)
			time.Sleep(after)
		}
		_, _ = io.WriteString(w, `{"job_id":"`+job+`","backups":[],"total_count":0}`)
	})
	client, err := dds.New(dds.Options{
		Endpoints:   map[string]string{"r": "http://dds.example"},
		Credentials: dds.Credentials{AccessKey: secret.New("AK"), SecretKey: secret.New("SK")},
		Transport:   n.connect(t, transport.Options{Connections: 2}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return n, client, deletes
}

var backup = deletion.Target{Region: "r", ProjectID: "p", BackupID: "b"}

// The job id of a DDS that needs longer than ten seconds still arrives.
func TestASlowDDSKeepsItsJobID(t *testing.T) {
	for name, warm := range map[string]bool{"new connection": false, "kept connection": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, client, deletes := startDDS(t, 12*time.Second)
				if warm {
					client.Connect(t.Context(), "r", "", 1)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
				defer cancel()
				if got, err := client.DeleteBackup(ctx, backup, false); err != nil || got.JobID != job || deletes.Load() != 1 {
					t.Errorf("deletion %+v, error %v, %d calls", got, err, deletes.Load())
				}
			})
		})
	}
}

// A dead kept connection to DDS costs one try. A silent new one costs the whole time of the call, and
// its answer counts as lost.
func TestSilentDDS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, client, deletes := startDDS(t, 0)
		client.Connect(t.Context(), "r", "", 1)
		n.silence(true)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
		defer cancel()
		began := time.Now()
		got, err := client.DeleteBackup(ctx, backup, false)
		if took := time.Since(began); err != nil || got.JobID != job || took != 25*time.Second || deletes.Load() != 1 {
			t.Errorf("after a dead connection: deletion %+v, error %v after %v, %d calls", got, err, took, deletes.Load())
		}

		client.CloseIdleConnections()
		n.silence(false)
		ctx, cancel = context.WithTimeout(t.Context(), 50*time.Second)
		defer cancel()
		_, err = client.DeleteBackup(ctx, backup, false)
		var e *deletion.Error
		if !errors.As(err, &e) || e.Class != deletion.ClassUnavailable || !e.MaybeSent {
			t.Errorf("after a new connection that said nothing: %+v", err)
		}
	})
}

// silentTwice makes a call with tries of that length: first over a dead kept connection, then over a
// silent new one. Each costs one try.
func silentTwice(t *testing.T, n *network, pool *transport.Transport, try time.Duration, call func() error) {
	t.Helper()
	if err := call(); err != nil {
		t.Fatal(err)
	}
	for _, kept := range []bool{true, false} {
		if !kept {
			pool.CloseIdleConnections()
		}
		n.silence(kept)
		began, before := time.Now(), n.dials()
		if err := call(); err != nil {
			t.Errorf("kept %v: %v", kept, err)
		}
		if took := time.Since(began); took < try || took > try+time.Second {
			t.Errorf("kept %v: it took %v, want one try of %v", kept, took, try)
		}
		if want := map[bool]int{true: 1, false: 2}[kept]; n.dials()-before != want {
			t.Errorf("kept %v: %d new connections, want %d", kept, n.dials()-before, want)
		}
	}
}

var awsKeys = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s"}, nil
})

func TestSilentLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			_, _ = io.WriteString(w, `{"Attributes":{}}`)
		})
		pool := n.connect(t, transport.Options{Connections: 2, Try: time.Second})
		table := ddbledger.New(dynamodb.New(dynamodb.Options{
			Region: "eu-central-1", Credentials: awsKeys, BaseEndpoint: aws.String("http://dynamodb.example"), HTTPClient: pool,
			Retryer: retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 100 * time.Millisecond }),
		}), "ledger", nil)
		silentTwice(t, n, pool, time.Second, func() error {
			_, err := table.Swap(t.Context(), nil, &deletion.Item{Key: deletion.Key{ProjectID: "p", BackupID: "b"}, Lease: "token"})
			return err
		})
	})
}

var outcome = []deletion.Event{{ID: "e", Type: "t", Source: "s", Subject: "b", JSON: []byte("{}")}}

func TestSilentBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			_, _ = io.WriteString(w, `{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}`)
		})
		pool := n.connect(t, transport.Options{Connections: 2, Try: 5 * time.Second})
		busARN, _ := arn.Parse("arn:aws:events:eu-central-1:123456789012:event-bus/b")
		bus := awssink.NewEventBridge(eventbridge.New(eventbridge.Options{
			Region: "eu-central-1", Credentials: awsKeys, BaseEndpoint: aws.String("http://events.example"), HTTPClient: pool, Retryer: aws.NopRetryer{},
		}), busARN, "s")
		silentTwice(t, n, pool, 5*time.Second, func() error { return bus.Publish(t.Context(), outcome)[0] })
	})
}

func TestSilentReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
		pool := n.connect(t, transport.Options{Connections: 2, Try: 5 * time.Second})
		receiver := sink.NewHTTP(sink.HTTPOptions{Address: &url.URL{Scheme: "http", Host: "receiver.example"}}, pool)
		silentTwice(t, n, pool, 5*time.Second, func() error { return receiver.Publish(t.Context(), outcome)[0] })
	})
}

// The error of a call that may have been sent is a timeout and can be retried.
func TestALostAnswerOfAReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var taken atomic.Int32
		n := serve(t, func(http.ResponseWriter, *http.Request) {
			taken.Add(1)
			time.Sleep(time.Hour)
		})
		pool := n.connect(t, transport.Options{Try: 5 * time.Second})
		err := sink.NewHTTP(sink.HTTPOptions{Address: &url.URL{Scheme: "http", Host: "receiver.example", Path: "/secret"}}, pool).Publish(t.Context(), outcome)[0]
		var e *transport.Error
		if !errors.As(err, &e) || !e.MaybeSent || taken.Load() < 2 || strings.Contains(err.Error(), "secret") {
			t.Errorf("error %v after %d tries", err, taken.Load())
		}
	})
}
