package dds_test

import (
	"strings"
	"testing"
	"time"

	"dds-backup-delete/internal/clocktest"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
)

// A deletion from its start to its end, as seen by its job and by the backup list.
func TestJobAndSightOfADeletion(t *testing.T) {
	for reason, word := range map[string]string{"": "DISABLED", "storage\nis out of reach": "DELETING"} {
		clock := clocktest.New(time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC))
		server := serve(t, ddstest.Options{Now: clock.Now, DeletionTime: time.Hour, DeletionStatus: word, JobDelay: 5 * time.Second, AbsentCode: "DBS.201214"})
		server.FailJobs(reason, backup)
		client := connect(t, server, func(o *dds.Options) { o.Now = clock.Now })
		started, err := client.DeleteBackup(limited(t), target(backup), false)
		if err != nil {
			t.Fatal(err)
		}
		want := func(status deletion.JobStatus, why string, there, deleting bool) {
			t.Helper()
			got, text, err := client.Job(limited(t), target(backup), started.JobID)
			if err != nil || got != status || text != why {
				t.Errorf("job %q, reason %q, error %v, want %q, %q", got, text, err, status, why)
			}
			sight, err := client.LookUp(limited(t), target(backup))
			if err != nil || (sight.Backup != nil) != there || sight.Deleting != deleting || sight.Refusal != nil {
				t.Errorf("sight %+v, error %v, want there %v, deleting %v", sight, err, there, deleting)
			}
		}
		want(deletion.JobUnknown, "", true, true)
		clock.Pass(5 * time.Second)
		want(deletion.JobRunning, "", true, true)
		clock.Pass(time.Hour)
		if reason == "" {
			want(deletion.JobCompleted, "", false, false)
		} else {
			want(deletion.JobFailed, "storage is out of reach", true, false)
		}
	}
}

func TestJobAnswers(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for body, want := range map[string]struct {
		status deletion.JobStatus
		reason string
		class  deletion.Class
	}{
		`{"job":{"id":"j","status":"Running"}}`:                                     {status: deletion.JobRunning},
		`{"job":{"id":"J","status":"COMPLETED","fail_reason":null}}`:                {status: deletion.JobCompleted},
		`{"job":{"status":"completed","fail_reason":"none"}}`:                       {status: deletion.JobCompleted},
		`{"job":{"id":"j","status":"failed","fail_reason":"why"}}`:                  {status: deletion.JobFailed, reason: "why"},
		`{"job":{"id":"j","status":"Failed","fail_reason":17}}`:                     {status: deletion.JobFailed, reason: "17"},
		`{"job":{"id":"j","status":"Failed","fail_reason":{"code":"x"}}}`:           {status: deletion.JobFailed},
		`{"job":{"id":"j","status":"Failed","fail_reason":null}}`:                   {status: deletion.JobFailed},
		`{"job":{"id":"j","status":"Failed","fail_reason":"` + long + `"}}`:         {status: deletion.JobFailed, reason: long[:512]},
		`{"job":{"id":"j","status":"Failed","created":{},"ended":7,"progress":[]}}`: {status: deletion.JobFailed},
		`{"job":{"id":"j","status":"Pending"}}`:                                     {},
		`{"job":{"id":"j","status":7}}`:                                             {},
		`{"job":{"id":"j","status":null}}`:                                          {},
		`{"job":{"id":"j"}}`:                                                        {},
		`{"job":{}}`:                                                                {},
		`{"job":{"id":"another","status":"Completed"}}`:                             {class: deletion.ClassUnavailable},
		`{"job":null}`: {class: deletion.ClassUnavailable},
		`{"job":[]}`:   {class: deletion.ClassUnavailable},
		`{"job":"j"}`:  {class: deletion.ClassUnavailable},
		`{}`:           {class: deletion.ClassUnavailable},
		`null`:         {class: deletion.ClassUnavailable},
		`<html>`:       {class: deletion.ClassUnavailable},
		``:             {class: deletion.ClassUnavailable},
	} {
		server := serve(t, ddstest.Options{})
		server.Inject(ddstest.RawAnswer(200, "application/json", body))
		status, reason, err := connect(t, server, nil).Job(limited(t), target(backup), "j")
		if want.class != "" {
			if e := asError(t, err); e.Class != want.class || e.MaybeSent || status != deletion.JobUnknown {
				t.Errorf("%s: error %+v", body, e)
			}
			continue
		}
		if err != nil || status != want.status || reason != want.reason {
			t.Errorf("%s: %q, reason %q, error %v", body, status, reason, err)
		}
	}
}

func TestJobFails(t *testing.T) {
	for name, tc := range map[string]struct {
		fault   ddstest.Fault
		options ddstest.Options
		class   deletion.Class // empty for an unknown job
		says    string
	}{
		"not known":     {},
		"no permission": {options: ddstest.Options{MayNotShowJob: true}, class: deletion.ClassForbidden, says: "needs the permission dds:task:getDetail"},
		"unavailable":   {fault: ddstest.RawAnswer(504, "", ""), class: deletion.ClassUnavailable},
		"another code":  {fault: ddstest.Answer(404, "DBS.200002", "why"), class: deletion.ClassNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, tc.options)
			if tc.fault.String() != "" {
				server.Inject(tc.fault.Repeat(-1))
			}
			status, reason, err := connect(t, server, nil).Job(limited(t), target(backup), "a job & more")
			if status != deletion.JobUnknown || reason != "" {
				t.Errorf("status %q, reason %q", status, reason)
			}
			if tc.class == "" {
				if err != nil {
					t.Errorf("error %v", err)
				}
			} else if e := asError(t, err); e.Class != tc.class || e.MaybeSent || !strings.Contains(e.Message, tc.says) {
				t.Errorf("error %+v", e)
			}
		})
	}
}
