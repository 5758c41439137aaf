package awsapp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dds-backup-delete/internal/awsclient"
	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/event"
	"dds-backup-delete/internal/secret"
)

// visibilities is the ChangeMessageVisibilityBatch call of Amazon SQS.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html
type visibilities struct {
	answer func(w http.ResponseWriter) bool // an answer of its own, if it gives one

	mu    sync.Mutex
	calls []string // queue and entries of each call
}

func (v *visibilities) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		QueueURL string `json:"QueueUrl"`
		Entries  []struct {
			ID                string `json:"Id"`
			ReceiptHandle     string
			VisibilityTimeout int
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Header.Get("X-Amz-Target") != "AmazonSQS.ChangeMessageVisibilityBatch" || len(in.Entries) > 10 {
		http.Error(w, `{"__type":"InvalidParameterValue"}`, http.StatusBadRequest)
		return
	}
	call := in.QueueURL[strings.LastIndex(in.QueueURL, ":"):] // behind the port
	_, call, _ = strings.Cut(call, "/")
	for _, e := range in.Entries {
		call += fmt.Sprintf(" %s=%d", e.ReceiptHandle, e.VisibilityTimeout)
	}
	v.mu.Lock()
	v.calls = append(v.calls, call)
	v.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if v.answer == nil || !v.answer(w) {
		_, _ = w.Write([]byte(`{"Successful":[{"Id":"0"}]}`))
	}
}

// postponed starts a queue and returns what it was asked, and what was logged, for so many messages.
func postponed(t *testing.T, ctx context.Context, arn string, messages int, answer func(http.ResponseWriter) bool) (calls []string, log string) { //nolint:revive // the test comes first
	t.Helper()
	service := &visibilities{answer: answer}
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	var text bytes.Buffer
	c := &config.Config{Concurrency: 4, AWS: config.AWS{AccessKeyID: secret.New("AKIA"), SecretAccessKey: secret.New("s"), SQS: server.URL}}
	q := newQueue(&clients{c: c, keys: awsclient.EnvironmentKeys(&c.AWS)}, slog.New(slog.NewJSONHandler(&text, nil)))
	var all []event.Visibility
	for i := range messages {
		all = append(all, event.Visibility{MessageID: "m", ReceiptHandle: fmt.Sprint("r", i), Timeout: time.Duration(i+1) * time.Minute})
	}
	q.postpone(ctx, arn, all)
	service.mu.Lock()
	defer service.mu.Unlock()
	slices.Sort(service.calls)
	return service.calls, text.String()
}

const requestQueue = "arn:aws:sqs:eu-central-1:123456789012:requests.fifo"

func TestPostpone(t *testing.T) {
	calls, log := postponed(t, t.Context(), requestQueue, 12, nil)
	const url = "123456789012/requests.fifo"
	if len(calls) != 2 || log != "" || !strings.HasPrefix(calls[0], url+" r0=60 r1=120") || calls[1] != url+" r10=660 r11=720" {
		t.Errorf("calls %q, log %s", calls, log)
	}
	if calls, log := postponed(t, t.Context(), requestQueue, 0, nil); len(calls) != 0 || log != "" {
		t.Errorf("for nothing: calls %q, log %s", calls, log)
	}
}

// A message that cannot be postponed is given back all the same: postpone fails nothing, but says so.
func TestPostponeThatFails(t *testing.T) {
	for name, tc := range map[string]struct {
		arn    string
		answer func(http.ResponseWriter) bool
		says   string
	}{
		"no queue": {"arn:aws:sns:eu-central-1:123456789012:topic", nil, "not that of a queue"},
		"refused": {requestQueue, func(w http.ResponseWriter) bool {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"__type":"AccessDeniedException","message":"not allowed"}`))
			return true
		}, "AccessDenied"},
		"refused in part": {requestQueue, func(w http.ResponseWriter) bool {
			_, _ = w.Write([]byte(`{"Successful":[],"Failed":[{"Id":"0","Code":"ReceiptHandleIsInvalid","SenderFault":true}]}`))
			return true
		}, "1 of 1 failed: ReceiptHandleIsInvalid"},
		"garbage": {requestQueue, func(w http.ResponseWriter) bool {
			_, _ = w.Write([]byte(`<`))
			return true
		}, "without a delay"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, log := postponed(t, t.Context(), tc.arn, 1, tc.answer); !strings.Contains(log, tc.says) || strings.Contains(log, `"s"`) {
				t.Errorf("log %s, want one that says %q", log, tc.says)
			}
		})
	}
}

// A queue that does not answer must leave time for the reply.
func TestPostponeLeavesTime(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	hang := make(chan struct{})
	defer close(hang)
	_, log := postponed(t, ctx, requestQueue, 1, func(http.ResponseWriter) bool {
		<-hang
		return true
	})
	if ctx.Err() != nil || !strings.Contains(log, "without a delay") {
		t.Errorf("context %v, log %s", ctx.Err(), log)
	}
}
