package dds_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
)

func TestRequireManual(t *testing.T) {
	for name, tc := range map[string]struct {
		backup  ddstest.Backup
		options ddstest.Options
		class   deletion.Class
		says    string
	}{
		"finished":              {backup: ddstest.Backup{ID: "x"}},
		"finished, other case":  {backup: ddstest.Backup{ID: "x", Type: "manual", Status: "Completed"}},
		"failed":                {backup: ddstest.Backup{ID: "x", Status: "FAILED"}},
		"building":              {backup: ddstest.Backup{ID: "x", Status: "Building"}, class: deletion.ClassConflict, says: "Building"},
		"restoring":             {backup: ddstest.Backup{ID: "x", Restoring: true}, class: deletion.ClassConflict, says: "restored"},
		"automated":             {backup: ddstest.Backup{ID: "x", Type: "Auto"}, class: deletion.ClassInvalid, says: `"Auto"`},
		"incremental":           {backup: ddstest.Backup{ID: "x", Type: "incremental"}, class: deletion.ClassNotFound, says: "an incremental backup is not visible by its id"},
		"not there":             {backup: ddstest.Backup{ID: "another"}, class: deletion.ClassNotFound, says: "no such backup"},
		"another in other case": {backup: ddstest.Backup{ID: "X"}, class: deletion.ClassNotFound, says: "no such backup"},
		"may not be looked up":  {backup: ddstest.Backup{ID: "x"}, options: ddstest.Options{MayNotList: true}, class: deletion.ClassForbidden, says: "dds:backup:list"},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, tc.options)
			server.Add(tc.backup)
			got, err := connect(t, server, func(o *dds.Options) { o.RequireManual = true }).DeleteBackup(limited(t), target("x"), false)
			if tc.class == "" {
				if err != nil || got.JobID == "" {
					t.Errorf("deletion %+v, error %v", got, err)
				}
				return
			}
			if e := asError(t, err); e.Class != tc.class || !strings.Contains(e.Message, tc.says) || e.MaybeSent {
				t.Errorf("error %+v, want class %s", e, tc.class)
			}
			if n := deletes(server); n != 0 {
				t.Errorf("%d DELETE calls", n)
			}
		})
	}
}

func TestRequireManualOfWhatIsBeingDeleted(t *testing.T) {
	server := serve(t, ddstest.Options{DeletionTime: time.Hour})
	client := connect(t, server, func(o *dds.Options) { o.RequireManual = true })
	if _, err := client.DeleteBackup(limited(t), target(backup), false); err != nil {
		t.Fatal(err)
	}
	got, err := client.DeleteBackup(limited(t), target(backup), false)
	if err != nil || got.Unconfirmed == "" || deletes(server) != 1 {
		t.Errorf("deletion %+v, error %v, %d DELETE calls", got, err, deletes(server))
	}
}

func TestDryRun(t *testing.T) {
	server := serve(t, ddstest.Options{})
	client := connect(t, server, func(o *dds.Options) { o.RequireManual = true })
	if err := client.CheckBackup(limited(t), target(backup)); err != nil {
		t.Errorf("error %v", err)
	}
	if err := client.CheckBackup(limited(t), target("none")); asError(t, err).Class != deletion.ClassNotFound {
		t.Errorf("error %v", err)
	}
	if n := deletes(server); n != 0 {
		t.Errorf("%d DELETE calls", n)
	}
	calls := len(server.Calls())
	plain := connect(t, server, nil)
	if err := plain.CheckBackup(limited(t), target("none")); err != nil || len(server.Calls()) != calls {
		t.Errorf("without REQUIRE_MANUAL: error %v, %d calls", err, len(server.Calls())-calls)
	}
	elsewhere := target(backup)
	elsewhere.Region = "nowhere"
	if err := plain.CheckBackup(limited(t), elsewhere); asError(t, err).Class != deletion.ClassInvalid {
		t.Errorf("of a region without an endpoint: error %v", err)
	}
}

func TestAListThatCannotBeRead(t *testing.T) {
	for _, body := range []string{
		`{}`, `null`, `{"status":"ok"}`, `{"backups":null}`, `{"error_code":"DBS.200998"}`, `{"backups":[{"id":"x"}],"total_count":250}`, `<html>`,
	} {
		server := serve(t, ddstest.Options{})
		server.Inject(ddstest.RawAnswer(200, "application/json", body).On(http.MethodGet))
		_, err := connect(t, server, func(o *dds.Options) { o.RequireManual = true }).DeleteBackup(limited(t), target(backup), false)
		if e := asError(t, err); e.Class != deletion.ClassUnavailable || deletes(server) != 0 {
			t.Errorf("%s: error %+v", body, e)
		}
	}
}
