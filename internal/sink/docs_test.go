package sink_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger"
)

// documented returns the blocks of that kind in docs/outcomes.md. The kind follows the language of
// the block, where a reader does not see it.
func documented(t *testing.T, kind string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/outcomes.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, part := range strings.Split(string(text), "```json "+kind+"\n")[1:] {
		block, _, closed := strings.Cut(part, "```")
		if !closed || !json.Valid([]byte(block)) {
			t.Fatalf("a block of %s is not JSON:\n%s", kind, block)
		}
		blocks = append(blocks, block)
	}
	if len(blocks) == 0 {
		t.Fatalf("no block of %s", kind)
	}
	return blocks
}

const project = "0549b4a43100d4f32f51c01c2fe4acdb"

// The backups of the samples.
const (
	there = "8d9586c40b33449a815518d4635a2cd9br02"
	lost  = "c7b8a9d0e1f2435b8c6d7e8f90a1b2c3br02"
	gone  = "00000000000000000000000000000000br02"
)

// deleter is a DDS that knows every backup but two.
type deleter struct{ deletion.Backups }

func (deleter) DeleteBackup(_ context.Context, backup deletion.Target, _ bool) (deletion.Deletion, error) {
	switch backup.BackupID {
	case gone:
		return deletion.Deletion{}, &deletion.Error{
			Class: deletion.ClassNotFound, Code: "DBS.201214", Message: "The backup file does not exist or does not belong to the instance.",
			HTTPStatus: 400, DDSRequestID: "3d9c1f3e0c4b4f0e9a1d2b3c4d5e6f70",
		}
	case lost:
		return deletion.Deletion{Unconfirmed: "the deletion may have been started before, and now the backup is gone"}, nil
	default:
		return deletion.Deletion{JobID: "3711e2ad-5787-49bc-a47f-3f0b066af9f5"}, nil
	}
}

// catch is a sink that keeps the events.
type catch struct{ events []deletion.Event }

func (c *catch) Publish(_ context.Context, events []deletion.Event) []error {
	c.events = append(c.events, events...)
	return make([]error, len(events))
}

// published returns the events that requests lead to.
func published(t *testing.T, requests ...deletion.Request) []deletion.Event {
	t.Helper()
	seen := new(catch)
	service := &deletion.Service{
		Backups: deleter{}, Ledger: ledger.NewMemory(1000, nil), Sink: seen, Concurrency: 4, Log: slog.New(slog.DiscardHandler),
		Scope: deletion.Scope{Region: "cn-north-4", ProjectID: project},
	}
	service.Do(t.Context(), requests)
	if len(seen.events) != len(requests) {
		t.Fatalf("%d events, want %d", len(seen.events), len(requests))
	}
	return seen.events
}

// request returns the request of a queue message for a backup.
func request(id, backup string) deletion.Request {
	return deletion.Request{ID: id, Source: "sqs", BackupID: backup}
}

// outcomes returns real events of every type: n accepted ones and one each of the others.
func outcomes(t *testing.T, n int) []deletion.Event {
	t.Helper()
	requests := []deletion.Request{request("r-gone", gone), request("r-lost", lost), request("r-none", "")}
	for i := range n {
		requests = append(requests, request(fmt.Sprint("r", i), fmt.Sprint("backup", i)))
	}
	return published(t, requests...)
}

// The samples in the documentation are real events.
func TestDocumentedEvents(t *testing.T) {
	accepted := request("4fce6432-6221-41a2-86dc-c5557e824cf3", there)
	accepted.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	simulated := request("4fce6432-6221-41a2-86dc-c5557e824cf3", there)
	simulated.DryRun = true
	var want []string
	for _, e := range slices.Concat(
		published(t, accepted),
		published(t, request("9a1f6c1e-3c52-4f6b-8a4e-0f3b6d1c2a90", lost)),
		published(t, request("e2a7c0de-55b1-4b6f-9b0a-7d6c5b4a3928", gone)),
		published(t, request("ff23b8e6-65ba-43b9-875c-5e79b6f8118a", "../../instances/in02")),
		published(t, simulated),
	) {
		want = append(want, canonical(t, e.JSON))
	}
	var got []string
	for _, block := range documented(t, "event") {
		got = append(got, canonical(t, []byte(block)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events in docs/outcomes.md (-published +documented):\n%s", diff)
	}
}
