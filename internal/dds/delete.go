package dds

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"dds-backup-delete/internal/deletion"
)

// DeleteBackup starts the deletion of a manual backup. With maybeSent, an earlier call may have
// started it already, so a missing backup is unconfirmed and not an error. The error is a
// [*deletion.Error]; if its MaybeSent is set, the deletion may have been started.
//
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_api_0028.html
func (c *Client) DeleteBackup(ctx context.Context, t deletion.Target, maybeSent bool) (deletion.Deletion, error) {
	request, err := c.newProjectCall(ctx, http.MethodDelete, t.Region, t.ProjectID, nil, "backups", t.BackupID)
	if err != nil {
		return deletion.Deletion{}, err
	}
	resp, err := c.handle(request)
	maybeSent = maybeSent || request.maybeSent
	if err != nil {
		return c.resolve(ctx, t, maybeSent, err)
	}
	var body *struct {
		JobID jobID `json:"job_id"`
		Code  text  `json:"error_code"`
	}
	answer := bytes.TrimPrefix(resp.body, []byte("\ufeff")) // a byte order mark costs no job id
	if err := json.Unmarshal(answer, &body); err != nil || body == nil || (body.Code != "" && body.Code != "0") {
		e := unreadable(resp)
		e.MaybeSent = true // DDS may have done its work
		return c.resolve(ctx, t, true, e)
	}
	if body.JobID == "" {
		return deletion.Deletion{Unconfirmed: "DDS took the deletion but named no job"}, nil
	}
	return deletion.Deletion{JobID: string(body.JobID)}, nil
}

// jobID reads the id of a job: a string, or the digits of a whole number. Anything else, for example
// blanks or null, reads as empty, so that a started deletion is never an error.
type jobID string

// UnmarshalJSON implements [json.Unmarshaler].
func (id *jobID) UnmarshalJSON(b []byte) error {
	var s string
	switch {
	case strings.Trim(string(b), "0123456789") == "":
		*id = jobID(printable(string(b)))
	case json.Unmarshal(b, &s) == nil:
		*id = jobID(strings.TrimSpace(printable(s)))
	}
	return nil
}

// resolve returns the result of a failed deletion. If the deletion may have been sent, a missing backup
// means that it was started. It asks the backup list if that helps.
func (c *Client) resolve(ctx context.Context, t deletion.Target, maybeSent bool, err error) (deletion.Deletion, error) {
	e, ok := errors.AsType[*deletion.Error](err)
	if !ok {
		return deletion.Deletion{}, err
	}
	namePermission(e, "the deletion", "dds:backup:delete")
	maybeSent = maybeSent || e.MaybeSent
	gone := e.Class == deletion.ClassNotFound
	if listHelps(e, maybeSent) {
		sight, listErr := c.LookUp(ctx, t)
		switch {
		case listErr == nil && sight.Backup == nil:
			gone = true
		case listErr == nil && sight.Deleting:
			return deletion.Deletion{Unconfirmed: "the backup is being deleted, by which job is not known"}, nil
		case listErr != nil && maybeSent && e.Class == deletion.ClassInvalid:
			e.Class, e.MaybeSent = deletion.ClassUnavailable, true // it may be the code for a backup that is being deleted
		}
	}
	switch {
	case gone && maybeSent:
		return deletion.Deletion{Unconfirmed: "an answer was lost, and now the backup is gone"}, nil
	case gone:
		e.Class = deletion.ClassNotFound
	}
	return deletion.Deletion{}, e
}

// listHelps reports whether the backup list can explain an error. If the credentials or the rate were
// refused, the list would be refused too.
func listHelps(e *deletion.Error, maybeSent bool) bool {
	switch e.Class {
	case deletion.ClassUnavailable, deletion.ClassConflict, deletion.ClassInvalid, deletion.ClassUnknown:
		return maybeSent || e.Code == codeAmbiguous
	default:
		return false
	}
}
