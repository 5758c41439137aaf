package dds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"dds-backup-delete/internal/deletion"
)

// listedBackup is a backup in the JSON of the backup list. The documentation is inconsistent about the
// letter case of type and status, and about the word for being deleted.
//
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_api_0029.html
type listedBackup struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Status    string `json:"status"`
	Restoring bool   `json:"is_instance_restoring"`

	// The others are only shown to people, so an unexpected type must not make the answer unreadable.
	Name         text `json:"name"`
	InstanceName text `json:"instance_name"`
	Begin        text `json:"begin_time"`
	Size         text `json:"size"`
}

func (b listedBackup) beingDeleted() bool {
	return strings.EqualFold(b.Status, "DISABLED") || strings.EqualFold(b.Status, "DELETING")
}

// backup looks one backup up in the list.
func (c *Client) backup(ctx context.Context, t deletion.Target) (b listedBackup, found bool, err error) {
	call, err := c.newCall(ctx, http.MethodGet, t, url.Values{"backup_id": {t.BackupID}}, "v3", t.ProjectID, "backups")
	if err != nil {
		return b, false, err
	}
	resp, err := c.handle(call)
	var e *deletion.Error
	if errors.As(err, &e) && e.Class == deletion.ClassNotFound { // instead of an empty list, in some regions
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
	if body.Total > len(*body.Backups) { // the filter was ignored: it may be on another page
		return b, false, unreadable(resp)
	}
	return b, false, nil
}

// checkManual returns nothing for a finished manual backup, an unconfirmed deletion for a backup that
// is already being deleted, and an error otherwise.
func (c *Client) checkManual(ctx context.Context, t deletion.Target, maybeSent bool) (deletion.Deletion, error) {
	b, found, err := c.backup(ctx, t)
	var e *deletion.Error
	switch {
	case errors.As(err, &e):
		e.MaybeSent = false                                          // nothing was deleted
		if e.Class == deletion.ClassForbidden && e.HTTPStatus != 0 { // from DDS, not from the source of the credentials
			e.Message = "REQUIRE_MANUAL needs the permission dds:backup:list, so nothing was deleted: " + e.Message
		}
		return deletion.Deletion{}, e
	case err != nil:
		return deletion.Deletion{}, err
	case !found && maybeSent:
		return deletion.Deletion{Unconfirmed: "the deletion may have been started before, and now the backup is gone"}, nil
	case !found:
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassNotFound, Message: "REQUIRE_MANUAL: the backup list has no such backup; an incremental backup is not visible by its id alone"}
	case b.beingDeleted():
		return deletion.Deletion{Unconfirmed: "the backup is being deleted already, by which job is not known"}, nil
	case !strings.EqualFold(b.Type, "manual"):
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassInvalid, Message: fmt.Sprintf("REQUIRE_MANUAL: the backup is of type %q, want Manual", printable(b.Type))}
	case b.Restoring:
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassConflict, Message: "REQUIRE_MANUAL: the instance of the backup is being restored"}
	case !strings.EqualFold(b.Status, "COMPLETED") && !strings.EqualFold(b.Status, "FAILED"):
		return deletion.Deletion{}, &deletion.Error{Class: deletion.ClassConflict, Message: fmt.Sprintf("REQUIRE_MANUAL: the backup is %q, want COMPLETED", printable(b.Status))}
	default:
		return deletion.Deletion{}, nil
	}
}
