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
	"time"

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

// outcomes returns real events of every type but simulated: n accepted ones and one each of the others.
func outcomes(t *testing.T, n int) []deletion.Event {
	t.Helper()
	requests := []deletion.Request{request("r-gone", gone), request("r-lost", lost), request("r-none", "")}
	for i := range n {
		requests = append(requests, request(fmt.Sprint("r", i), fmt.Sprint("backup", i)))
	}
	return append(published(t, requests...), lives(t)...)
}

// life is a service that follows deletions, on a simulated clock, and what it published.
type life struct {
	*deletion.Service
	catch

	now time.Time
}

// agedDeleter is a DDS in which a deletion goes as its functions say.
type agedDeleter struct {
	deletion.Backups

	delete func() (deletion.Deletion, error)
	show   func() deletion.Sight
	job    func() (deletion.JobStatus, string)
}

func (d agedDeleter) LookUp(context.Context, deletion.Target) (deletion.Sight, error) {
	return d.show(), nil
}

func (d agedDeleter) DeleteBackup(context.Context, deletion.Target, bool) (deletion.Deletion, error) {
	return d.delete()
}

func (d agedDeleter) Job(context.Context, deletion.Target, string) (deletion.JobStatus, string, error) {
	status, reason := d.job()
	return status, reason, nil
}

func newLife() *life {
	l := &life{now: time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC)}
	l.Service = &deletion.Service{
		Ledger: ledger.NewMemory(1000, func() time.Time { return l.now }), Durable: true, Sink: &l.catch, Concurrency: 4,
		Scope: deletion.Scope{Region: "cn-north-4", ProjectID: project}, Log: slog.New(slog.DiscardHandler),
		RequireManual: true, Follow: true, Now: func() time.Time { return l.now },
	}
	return l
}

// last returns the last event that is published within an hour of ticks.
func (l *life) last(t *testing.T, r deletion.Request) deletion.Event {
	t.Helper()
	l.Do(t.Context(), []deletion.Request{r})
	for range 12 {
		l.now = l.now.Add(5 * time.Minute)
		l.Tick(t.Context())
	}
	return l.events[len(l.events)-1]
}

// lives returns the events that only a tick publishes: abandoned, completed and failed.
func lives(t *testing.T) []deletion.Event {
	t.Helper()
	var events []deletion.Event
	backup := deletion.Backup{
		Name: "nightly", Type: "Manual", Status: "COMPLETED", InstanceID: "1f1f5bd2b1a74e0bb9a6d7a1a1f0b9d1in02", InstanceName: "orders", SizeKB: 52428800,
	}
	sent := time.Date(2026, 11, 23, 14, 2, 9, 512e6, time.UTC)

	abandoned := request("0c0e5f7a-1f2d-4a52-9d0f-4f2d1c9b8a70", "5b7e0d3c2f6a4c19a1e8f7d6c5b4a392br02")
	abandoned.Receives, abandoned.LastReceive, abandoned.SentAt = 10, true, sent
	abandoned.By = &deletion.Principal{Type: "service_account", ID: "AROAEXAMPLEID:nightly-cleanup"}
	l := newLife()
	l.Backups = agedDeleter{
		show: func() deletion.Sight { return deletion.Sight{Backup: &backup} },
		delete: func() (deletion.Deletion, error) {
			return deletion.Deletion{}, &deletion.Error{
				Class: deletion.ClassConflict, Code: "DBS.201319", Message: "The backup is being used for a restoration. Try again later.",
				HTTPStatus: 400, DDSRequestID: "9b1d2f3e4c5a46778899aabbccddeeff",
			}
		},
	}
	events = append(events, l.last(t, abandoned))

	accepted := func(job string) func() (deletion.Deletion, error) {
		return func() (deletion.Deletion, error) { return deletion.Deletion{JobID: job}, nil }
	}
	completed := request("4fce6432-6221-41a2-86dc-c5557e824cf3", there)
	completed.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	l = newLife()
	start := l.now
	l.Backups = agedDeleter{
		delete: accepted("3711e2ad-5787-49bc-a47f-3f0b066af9f5"),
		show: func() deletion.Sight {
			switch since := l.now.Sub(start); {
			case since == 0:
				return deletion.Sight{Backup: &backup}
			case since < 20*time.Minute:
				return deletion.Sight{Backup: &backup, Deleting: true}
			default:
				return deletion.Sight{}
			}
		},
	}
	events = append(events, l.last(t, completed))

	failed := request("7d0c3c62-95f1-4f0e-8b60-2a64d4b7c1aa", "e3c2b1a0f9e84d7c8b6a5f4e3d2c1b0abr02")
	failed.By = &deletion.Principal{Type: "app_user", ID: "dba@example.com", Claimed: true}
	l = newLife()
	l.Backups = agedDeleter{
		delete: accepted("c05f7a2e-6b1d-4c3f-8a9e-0d1c2b3a4f5e"),
		show:   func() deletion.Sight { return deletion.Sight{Backup: &backup} },
		job:    func() (deletion.JobStatus, string) { return deletion.JobFailed, "OBS is not available." },
	}
	return append(events, l.last(t, failed))
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
		lives(t),
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
