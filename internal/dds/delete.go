package dds

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// Target is a backup: its region, project and id.
type Target struct {
	Region, ProjectID, BackupID string
}

// Deletion is what DDS made of a call to delete a backup.
type Deletion struct {
	// JobID is the id of the job that deletes the backup; empty where it is not known.
	JobID string
	// Unconfirmed says why the job is not known though the deletion was started; empty where it is known.
	Unconfirmed string
}

// DeleteBackup starts the deletion of a manual backup. With maybeSent, an earlier call may have
// started it already, so that a backup which is gone is unconfirmed and not missing. The error is always an [*Error]; where
// its AnswerLost is set, the deletion may have been started all the same.
//
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_api_0028.html
func (c *Client) DeleteBackup(ctx context.Context, t Target, maybeSent bool) (Deletion, error) {
	if c.requireManual {
		if d, err := c.checkManual(ctx, t, maybeSent); err != nil || d != (Deletion{}) {
			return d, err
		}
	}
	call, err := c.newCall(ctx, http.MethodDelete, t, nil, "v3", t.ProjectID, "backups", t.BackupID)
	if err != nil {
		return Deletion{}, err
	}
	resp, err := c.handle(call)
	lost := maybeSent || call.answerLost
	if err != nil {
		return c.settle(ctx, t, lost, err)
	}
	var body *struct {
		JobID jobID `json:"job_id"`
		Code  text  `json:"error_code"`
	}
	answer := bytes.TrimPrefix(resp.body, []byte("\ufeff")) // a byte order mark costs no job id
	if err := json.Unmarshal(answer, &body); err != nil || body == nil || (body.Code != "" && body.Code != "0") {
		return c.settle(ctx, t, true, unreadable(resp))
	}
	if body.JobID == "" {
		return Deletion{Unconfirmed: "DDS took the deletion but named no job"}, nil
	}
	return Deletion{JobID: string(body.JobID)}, nil
}

// jobID reads the id of a job: a text, or a whole number by its digits. Anything else, such as blanks
// or null, reads as empty, so that it cannot hide that the deletion was started.
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

// CheckBackup does everything of [Client.DeleteBackup] that comes before the DELETE, and returns its
// error. A backup that is being deleted already is no error: a DELETE would not be sent for it.
func (c *Client) CheckBackup(ctx context.Context, t Target) error {
	if c.requireManual {
		_, err := c.checkManual(ctx, t, false)
		return err
	}
	_, err := c.newCall(ctx, http.MethodDelete, t, nil, "v3", t.ProjectID, "backups", t.BackupID)
	return err
}

// unreadable is the error of a success that is not what it should be: whoever sent it, DDS may
// have done its work.
func unreadable(resp *response) *Error {
	return &Error{
		Class: Unavailable, Message: "a success that cannot be read: " + describe(resp), StatusCode: resp.status,
		RequestID: printable(resp.header.Get("X-Request-Id")), AnswerLost: true,
	}
}

// settle decides what a failed deletion stands for. An answer that was lost on the way makes
// "gone" mean that the deletion was started; the backup list is asked where it can settle more.
func (c *Client) settle(ctx context.Context, t Target, lost bool, err error) (Deletion, error) {
	var e *Error
	if !errors.As(err, &e) {
		return Deletion{}, err
	}
	lost = lost || e.AnswerLost
	gone := e.Class == NotFound
	if listHelps(e, lost) {
		backup, found, listErr := c.backup(ctx, t)
		switch {
		case listErr == nil && !found:
			gone = true
		case listErr == nil && backup.beingDeleted():
			return Deletion{Unconfirmed: "the backup is being deleted, by which job is not known"}, nil
		case listErr != nil && lost && e.Class == Invalid:
			e.Class, e.AnswerLost = Unavailable, true // it may be the code for a backup that is being deleted
		}
	}
	switch {
	case gone && lost:
		return Deletion{Unconfirmed: "an answer was lost, and now the backup is gone"}, nil
	case gone:
		e.Class = NotFound
	}
	return Deletion{}, e
}

// listHelps reports whether the backup list can settle what an error leaves open. Where the
// credentials or the rate are refused, the list would be refused, too.
func listHelps(e *Error, lost bool) bool {
	switch e.Class {
	case Unavailable, Conflict, Invalid, Unknown:
		return lost || e.Code == codeAmbiguous
	default:
		return false
	}
}
