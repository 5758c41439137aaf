package ddstest_test

import (
	"context"
	"fmt"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

// A simulated DDS deletes a backup, and does not know it any more.
func ExampleServer() {
	server := ddstest.NewServer(ddstest.Options{})
	defer server.Close()
	server.Add(ddstest.Backup{ID: "8d9586c40b33449a815518d4635a2cd9br02", Name: "backup-20251102"})

	client, err := dds.New(dds.Options{
		Endpoints:   map[string]string{ddstest.Region: server.URL()},
		Credentials: dds.Credentials{AccessKey: secret.New(ddstest.AccessKey), SecretKey: secret.New(ddstest.SecretKey)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	target := deletion.Target{Region: ddstest.Region, ProjectID: ddstest.ProjectID, BackupID: "8d9586c40b33449a815518d4635a2cd9br02"}
	for range 2 {
		deleted, err := client.DeleteBackup(context.Background(), target, false)
		fmt.Println("has a job:", deleted.JobID != "", "error:", err)
	}

	// The server knows what it was asked.
	fmt.Println("jobs:", len(server.Jobs()))
	for _, call := range server.Calls() {
		fmt.Println(call.Method, call.Status, call.Code, call.BackupID)
	}
	// Output:
	// has a job: true error: <nil>
	// has a job: false error: DBS.201214: The backup file does not exist or does not belong to the instance.
	// jobs: 1
	// DELETE 200  8d9586c40b33449a815518d4635a2cd9br02
	// DELETE 400 DBS.201214 8d9586c40b33449a815518d4635a2cd9br02
}
