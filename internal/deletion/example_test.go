package deletion_test

import (
	"context"
	"fmt"
	"log/slog"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/ledger"
)

// shelf is a DDS that holds backups: a job id for each, by the id of the backup.
type shelf map[string]string

// LookUp implements [deletion.Backups].
func (s shelf) LookUp(_ context.Context, backup deletion.Target) (deletion.Sight, error) {
	if s[backup.BackupID] == "" {
		return deletion.Sight{}, nil
	}
	return deletion.Sight{Backup: &deletion.Backup{Type: "Manual", Status: "COMPLETED"}}, nil
}

// DeleteBackup implements [deletion.Backups].
func (s shelf) DeleteBackup(_ context.Context, backup deletion.Target, _ bool) (deletion.Deletion, error) {
	job := s[backup.BackupID]
	if job == "" {
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassNotFound, Code: "DBS.201214", Message: "The backup does not exist.", HTTPStatus: 404}
	}
	delete(s, backup.BackupID)
	return deletion.Deletion{JobID: job}, nil
}

// Job implements [deletion.Backups].
func (shelf) Job(context.Context, deletion.Target, string) (deletion.JobStatus, string, error) {
	return deletion.JobUnknown, "", nil
}

// List implements [deletion.Backups].
func (shelf) List(context.Context, string, string) (map[string]deletion.Sight, error) {
	return map[string]deletion.Sight{}, nil
}

// printer is a sink that prints what it gets.
type printer struct{}

// Publish implements [deletion.Sink].
func (printer) Publish(_ context.Context, events []deletion.Event) []error {
	for _, e := range events {
		fmt.Println("published", e.Type, "for", e.Subject)
	}
	return make([]error, len(events))
}

// A service deletes each backup once. The same request again gets its first answer from the ledger.
func ExampleService() {
	service := deletion.Service{
		Backups:     shelf{"8d9586c40b33449a815518d4635a2cd9br02": "3711e2ad-5787-49bc-a47f-3f0b066af9f5"},
		Ledger:      ledger.NewMemory(1000, nil),
		Sink:        printer{},
		Scope:       deletion.Scope{Region: "cn-north-4", ProjectID: "0549b4a43100d4f32f51c01c2fe4acdb"},
		Concurrency: 10,
		Log:         slog.New(slog.DiscardHandler),
	}
	request := deletion.Request{ID: "message-1", Source: "sqs", BackupID: "8d9586c40b33449a815518d4635a2cd9br02"}
	for range 2 { // a queue may deliver a message twice
		for _, outcome := range service.Do(context.Background(), []deletion.Request{request}) {
			fmt.Println(outcome.Status, outcome.JobID, "replayed:", outcome.Replayed)
		}
	}
	// Output:
	// published dds.backup.deletion.accepted.v1 for 8d9586c40b33449a815518d4635a2cd9br02
	// accepted 3711e2ad-5787-49bc-a47f-3f0b066af9f5 replayed: false
	// published dds.backup.deletion.accepted.v1 for 8d9586c40b33449a815518d4635a2cd9br02
	// accepted 3711e2ad-5787-49bc-a47f-3f0b066af9f5 replayed: true
}
