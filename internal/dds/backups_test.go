package dds_test

import (
	"testing"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
)

func TestFindBackup(t *testing.T) {
	server := serve(t, ddstest.Options{})
	client := connect(t, server, nil)
	got, found, err := client.FindBackup(limited(t), target(backup))
	if err != nil || !found || got.Type != "Manual" || got.Status != "COMPLETED" || got.Name == "" || got.Instance == "" || got.Begin == "" || got.SizeKB == 0 {
		t.Errorf("%+v, found %v, error %v", got, found, err)
	}
	if got, found, err := client.FindBackup(limited(t), target("none")); err != nil || found || got != (dds.Backup{}) {
		t.Errorf("of one that is not there: %+v, found %v, error %v", got, found, err)
	}
}

// An unexpected type of a member that is only shown does not hide the backup.
func TestFindBackupWithOddMembers(t *testing.T) {
	server := serve(t, ddstest.Options{})
	client := connect(t, server, nil)
	server.Inject(ddstest.RawAnswer(200, "application/json", `{"total_count":1,"backups":[{"id":"`+backup+`","type":"Manual",
		"status":"COMPLETED","name":7,"instance_name":null,"size":"1024.5","begin_time":{}}]}`))
	got, found, err := client.FindBackup(limited(t), target(backup))
	if want := (dds.Backup{Name: "7", Type: "Manual", Status: "COMPLETED", SizeKB: 1024.5}); err != nil || !found || got != want {
		t.Errorf("%+v, found %v, error %v", got, found, err)
	}
}
