package sink_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/sink"
	"dds-backup-delete/internal/sink/sinktest"
)

const bus = "arn:aws:events:eu-central-1:123456789012:event-bus/outcomes"

func eventBridge(url string) *sink.EventBridge {
	return sink.NewEventBridge(eventbridge.New(eventbridge.Options{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String(url),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "secret"}, nil
		}),
		RetryMaxAttempts: 1,
	}), bus)
}

func someEvents(n int) []deletion.Event {
	var events []deletion.Event
	for i := range n {
		events = append(events, deletion.Event{
			ID: fmt.Sprintf("id-%d", i), Type: "dds.backup.deletion.accepted.v1", JSON: fmt.Appendf(nil, `{"id":"id-%d"}`, i),
		})
	}
	return events
}

func TestEventBridgeGroupsOfTen(t *testing.T) {
	server := sinktest.NewEventBridge(nil)
	defer server.Close()
	for i, err := range eventBridge(server.URL).Publish(t.Context(), someEvents(23)) {
		if err != nil {
			t.Errorf("event %d: %v", i, err)
		}
	}
	calls := server.Calls()
	slices.Sort(calls)
	if !cmp.Equal(calls, []int{3, 10, 10}) {
		t.Errorf("calls of %v entries, want 10, 10 and 3", calls)
	}
	var got []string
	for _, e := range server.Entries() {
		if e.EventBusName != bus || e.Source != sink.EventSource || e.DetailType != "dds.backup.deletion.accepted.v1" {
			t.Errorf("entry %+v", e)
		}
		got = append(got, e.Detail)
	}
	slices.Sort(got)
	if len(slices.Compact(got)) != 23 {
		t.Errorf("%d distinct events arrived, want 23", len(got))
	}
}

func TestEventBridgeReadsEachEntrysResult(t *testing.T) {
	server := sinktest.NewEventBridge(func(e sinktest.Entry) string {
		if e.Detail == `{"id":"id-3"}` || e.Detail == `{"id":"id-11"}` {
			return "ThrottlingException"
		}
		return ""
	})
	defer server.Close()
	for i, err := range eventBridge(server.URL).Publish(t.Context(), someEvents(12)) {
		if failed := i == 3 || i == 11; (err != nil) != failed {
			t.Errorf("event %d: %v", i, err)
		}
	}
}

func TestEventBridgeFailsAsAWhole(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"refused": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"__type":"AccessDeniedException"}`, http.StatusBadRequest)
		},
		"garbage":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"short answer": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"Entries":[{"EventId":"1"}]}`)) },
		"no event id":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"Entries":[{},{}]}`)) },
		"dropped":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			for i, err := range eventBridge(server.URL).Publish(t.Context(), someEvents(2)) {
				if err == nil {
					t.Errorf("event %d counts as published", i)
				}
			}
		})
	}
}

func TestEventBridgeKeepsTheDeadline(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if errs := eventBridge(server.URL).Publish(ctx, someEvents(1)); errs[0] == nil {
		t.Error("a call that was never answered counts as published")
	}
}
