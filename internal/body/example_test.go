package body_test

import (
	"fmt"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
)

// A body is read strictly: a member that no request has makes it an invalid request.
func ExampleReader_Read() {
	var reader body.Reader
	for _, text := range []string{
		`{"backup_ids": ["a", "b"], "dry_run": true}`,
		`{"backup_id": "a", "DryRun": true}`,
	} {
		for _, r := range reader.Read([]byte(text), deletion.Request{ID: "message-1"}).Requests {
			if r.Err != nil {
				fmt.Println(r.Err.Message)
				continue
			}
			fmt.Println(r.Field, r.BackupID, r.DryRun)
		}
	}
	// Output:
	// backup_ids[0] a true
	// backup_ids[1] b true
	// "DryRun": unknown member; did you mean "dry_run"?
}
