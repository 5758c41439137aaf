package event_test

import (
	"fmt"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/event"
)

// A payload becomes a batch of requests, and the batch answers its source with their outcomes. Of two
// messages of a queue, the one that must be tried again is given back.
func ExampleDecoder_Decode() {
	payload := []byte(`{"Records": [
		{"messageId": "one", "eventSource": "aws:sqs", "body": "{\"backup_id\": \"8d9586c40b33449a815518d4635a2cd9br02\"}"},
		{"messageId": "two", "eventSource": "aws:sqs", "body": "{\"backup_id\": \"1e24d8c7f1d14b5bb6a2d0a3fa34e6e2br02\"}"}
	]}`)
	batch, err := new(event.Decoder).Decode(payload, event.Invocation{ID: "invocation"})
	if err != nil {
		fmt.Println(err)
		return
	}
	outcomes := make([]deletion.Outcome, len(batch.Requests))
	for i, r := range batch.Requests {
		fmt.Println(r.Source, r.ID, r.BackupID)
		outcomes[i] = deletion.Outcome{Request: r, Status: deletion.Accepted, JobID: "3711e2ad-5787-49bc-a47f-3f0b066af9f5"}
	}
	outcomes[1].Status, outcomes[1].Err = deletion.Retry, &deletion.Error{Class: deletion.ClassConflict, Message: "the instance is busy"}
	reply, err := batch.Reply(outcomes)
	fmt.Println(string(reply), err)
	// Output:
	// sqs one 8d9586c40b33449a815518d4635a2cd9br02
	// sqs two 1e24d8c7f1d14b5bb6a2d0a3fa34e6e2br02
	// {"batchItemFailures":[{"itemIdentifier":"two"}]} <nil>
}
