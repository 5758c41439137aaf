package deletion_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
)

// publishOne returns the event of the outcome of a request.
func publishOne(t *testing.T, request deletion.Request, jobID string, err error) deletion.Event {
	t.Helper()
	s := &sink{}
	d := &deleter{delete: func(context.Context, string) (deletion.Deletion, error) {
		return deletion.Deletion{JobID: jobID}, err
	}}
	service(d, s, nil).Do(t.Context(), []deletion.Request{request})
	if len(s.taken) != 1 {
		t.Fatalf("%d events, want one", len(s.taken))
	}
	return s.taken[0]
}

func TestEventJSON(t *testing.T) {
	request := deletion.Request{
		ID: "message-1", Source: "sqs", BackupID: "8d9586c40b33449a815518d4635a2cd9br02",
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
	gone := &deletion.Error{Class: deletion.ClassNotFound, Code: "DBS.201214", Message: "no such backup", HTTPStatus: 400, DDSRequestID: "req"}
	for name, tc := range map[string]struct {
		jobID string
		err   error
		want  string
	}{
		"accepted": {
			jobID: "3711e2ad-5787-49bc-a47f-3f0b066af9f5",
			want: `{"specversion":"1.0","id":"0a25ebd72c2d2e682815914c9b1e9409",` +
				`"source":"urn:huaweicloud:dds:cn-north-4:0549b4a43100d4f32f51c01c2fe4acdb",` +
				`"type":"dds.backup.deletion.accepted.v1","subject":"8d9586c40b33449a815518d4635a2cd9br02",` +
				`"datacontenttype":"application/json","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",` +
				`"data":{"request_id":"message-1","project_id":"0549b4a43100d4f32f51c01c2fe4acdb",` +
				`"backup_id":"8d9586c40b33449a815518d4635a2cd9br02","job_id":"3711e2ad-5787-49bc-a47f-3f0b066af9f5","status":"accepted"}}`,
		},
		"not found": {
			err: gone,
			want: `{"specversion":"1.0","id":"3d48ca9008042a97d14637b4cc204821",` +
				`"source":"urn:huaweicloud:dds:cn-north-4:0549b4a43100d4f32f51c01c2fe4acdb",` +
				`"type":"dds.backup.deletion.not_found.v1","subject":"8d9586c40b33449a815518d4635a2cd9br02",` +
				`"datacontenttype":"application/json","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",` +
				`"data":{"request_id":"message-1","project_id":"0549b4a43100d4f32f51c01c2fe4acdb",` +
				`"backup_id":"8d9586c40b33449a815518d4635a2cd9br02","status":"not_found","error":{"class":"not_found",` +
				`"code":"DBS.201214","message":"no such backup","http_status":400,"dds_request_id":"req"}}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := publishOne(t, request, tc.jobID, tc.err)
			if diff := cmp.Diff(tc.want, string(got.JSON)); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

// A repeat is the same to the last byte, and two distinct events never share an id.
func TestEventIdentity(t *testing.T) {
	gone := &deletion.Error{Class: deletion.ClassNotFound}
	one := deletion.Request{ID: "message-1", Source: "sqs", BackupID: "a"}
	another := deletion.Request{ID: "message-2", Source: "sqs", BackupID: "a"}
	elsewhere := deletion.Request{ID: "message-1", Source: "direct", BackupID: "a"}
	broken := deletion.Request{ID: "message-1", Source: "sqs", Err: &deletion.Error{Class: deletion.ClassInvalid, Message: "m"}}
	broken2 := deletion.Request{ID: "message-2", Source: "sqs", Err: &deletion.Error{Class: deletion.ClassInvalid, Message: "m"}}

	for name, tc := range map[string]struct {
		a, b       deletion.Request
		aJob, bJob string
		aErr, bErr error
		same       bool
	}{
		"accepted, repeated":                  {a: one, b: one, aJob: "j", bJob: "j", same: true},
		"accepted is final for the backup":    {a: one, b: another, aJob: "j", bJob: "j", same: true},
		"not found, repeated":                 {a: one, b: one, aErr: gone, bErr: gone, same: true},
		"not found, asked anew":               {a: one, b: another, aErr: gone, bErr: gone},
		"not found, same id elsewhere":        {a: one, b: elsewhere, aErr: gone, bErr: gone},
		"accepted and not found":              {a: one, b: one, aJob: "j", bErr: gone},
		"unreadable, repeated":                {a: broken, b: broken, same: true},
		"unreadable, two messages":            {a: broken, b: broken2},
		"unconfirmed and accepted differ":     {a: one, b: one, aJob: "j"},
		"unconfirmed is final for the backup": {a: one, b: another, same: true},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := publishOne(t, tc.a, tc.aJob, tc.aErr), publishOne(t, tc.b, tc.bJob, tc.bErr)
			if (a.ID == b.ID) != tc.same {
				t.Errorf("ids %s and %s", a.ID, b.ID)
			}
			if tc.same && tc.a.ID == tc.b.ID && !bytes.Equal(a.JSON, b.JSON) {
				t.Errorf("a repeat differs:\n%s\n%s", a.JSON, b.JSON)
			}
		})
	}
}
