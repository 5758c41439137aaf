package dds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// listedBackup is a backup as the backup list shows it. Pages and enumerations differ in the
// letter case of type and status, and in the word for being deleted.
//
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_api_0029.html
type listedBackup struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Status    string `json:"status"`
	Restoring bool   `json:"is_instance_restoring"`

	// The others are for people to read, so no form of theirs makes the answer unreadable.
	Name         text `json:"name"`
	InstanceName text `json:"instance_name"`
	Begin        text `json:"begin_time"`
	Size         text `json:"size"`
}

func (b listedBackup) beingDeleted() bool {
	return strings.EqualFold(b.Status, "DISABLED") || strings.EqualFold(b.Status, "DELETING")
}

// backup looks one backup up in the list.
func (c *Client) backup(ctx context.Context, t Target) (b listedBackup, found bool, err error) {
	call, err := c.newCall(ctx, http.MethodGet, t, url.Values{"backup_id": {t.BackupID}}, "v3", t.ProjectID, "backups")
	if err != nil {
		return b, false, err
	}
	resp, err := c.handle(call)
	var e *Error
	if errors.As(err, &e) && e.Class == NotFound { // some regions answer so, and not with an empty list
		return b, false, nil
	}
	if err != nil {
		return b, false, err
	}
	var body struct {
		Backups *[]listedBackup `json:"backups"`
		Total   int             `json:"total_count"`
	}
	if err := json.Unmarshal(resp.body, &body); err != nil || body.Backups == nil {
		return b, false, unreadable(resp)
	}
	for _, b := range *body.Backups {
		if b.ID == t.BackupID {
			return b, true, nil
		}
	}
	if body.Total > len(*body.Backups) { // the filter was not heeded: it may be on another page
		return b, false, unreadable(resp)
	}
	return b, false, nil
}

// checkManual lets only a finished manual backup pass: it then returns nothing. What is being
// deleted already is no error.
func (c *Client) checkManual(ctx context.Context, t Target, maybeSent bool) (Deletion, error) {
	b, found, err := c.backup(ctx, t)
	var e *Error
	switch {
	case errors.As(err, &e):
		e.AnswerLost = false                           // nothing was deleted
		if e.Class == Forbidden && e.StatusCode != 0 { // DDS said so, and not the source of the credentials
			e.Message = "REQUIRE_MANUAL needs the permission dds:backup:list, so nothing was deleted: " + e.Message
		}
		return Deletion{}, e
	case err != nil:
		return Deletion{}, err
	case !found && maybeSent:
		return Deletion{Unconfirmed: "the deletion may have been started before, and now the backup is gone"}, nil
	case !found:
		return Deletion{}, &Error{Class: NotFound, Message: "REQUIRE_MANUAL: the backup list has no such backup; an incremental backup is not visible by its id alone"}
	case b.beingDeleted():
		return Deletion{Unconfirmed: "the backup is being deleted already, by which job is not known"}, nil
	case !strings.EqualFold(b.Type, "manual"):
		return Deletion{}, &Error{Class: Invalid, Message: fmt.Sprintf("REQUIRE_MANUAL: the backup is of type %q, want Manual", printable(b.Type))}
	case b.Restoring:
		return Deletion{}, &Error{Class: Conflict, Message: "REQUIRE_MANUAL: the instance of the backup is being restored"}
	case !strings.EqualFold(b.Status, "COMPLETED") && !strings.EqualFold(b.Status, "FAILED"):
		return Deletion{}, &Error{Class: Conflict, Message: fmt.Sprintf("REQUIRE_MANUAL: the backup is %q, want COMPLETED", printable(b.Status))}
	default:
		return Deletion{}, nil
	}
}
