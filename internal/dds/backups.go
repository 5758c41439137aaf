package dds

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
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

// Backup is a backup as the backup list shows it, in DDS's own words. Members that the answer lacks
// are empty.
type Backup struct {
	// Name, Type and Status are the backup's own.
	Name, Type, Status string
	// Instance is the name of the instance that was backed up.
	Instance string
	// Begin is when the backup began.
	Begin string
	// SizeKB is the size in KB; 0 if it is not known.
	SizeKB float64
}

// FindBackup looks one backup up in the backup list, which needs the permission dds:backup:list.
func (c *Client) FindBackup(ctx context.Context, t deletion.Target) (b Backup, found bool, err error) {
	listed, found, err := c.backup(ctx, t)
	if err != nil || !found {
		return Backup{}, false, err
	}
	size, _ := strconv.ParseFloat(string(listed.Size), 64)
	return Backup{
		Name: printable(string(listed.Name)), Type: printable(listed.Type), Status: printable(listed.Status),
		Instance: printable(string(listed.InstanceName)), Begin: printable(string(listed.Begin)), SizeKB: size,
	}, true, nil
}

// backup looks one backup up in the list.
func (c *Client) backup(ctx context.Context, t deletion.Target) (b listedBackup, found bool, err error) {
	request, err := c.newBackupsCall(ctx, http.MethodGet, t, url.Values{"backup_id": {t.BackupID}})
	if err != nil {
		return b, false, err
	}
	var body struct {
		Backups *[]listedBackup `json:"backups"`
		Total   int             `json:"total_count"`
	}
	resp, err := fetch(c.handle, request, &body)
	e, _ := errors.AsType[*deletion.Error](err)
	switch {
	case e != nil && e.Class == deletion.ClassNotFound: // instead of an empty list, in some regions
		return b, false, nil
	case err != nil:
		return b, false, err
	case body.Backups == nil:
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
func (c *Client) checkManual(ctx context.Context, t deletion.Target, maybeSent bool) (d deletion.Deletion, err error) {
	refuse := func(class deletion.Class, problem string) error {
		return &deletion.Error{Class: class, Message: "REQUIRE_MANUAL: " + problem}
	}
	b, found, err := c.backup(ctx, t)
	e, answered := errors.AsType[*deletion.Error](err)
	switch {
	case answered:
		e.MaybeSent = false                                          // nothing was deleted
		if e.Class == deletion.ClassForbidden && e.HTTPStatus != 0 { // from DDS, not from the source of the credentials
			e.Message = "REQUIRE_MANUAL needs the permission dds:backup:list, so nothing was deleted: " + e.Message
		}
	case err != nil:
	case !found && maybeSent:
		d.Unconfirmed = "the deletion may have been started before, and now the backup is gone"
	case !found:
		err = refuse(deletion.ClassNotFound, "the backup list has no such backup; an incremental backup is not visible by its id alone")
	case b.beingDeleted():
		d.Unconfirmed = "the backup is being deleted already, by which job is not known"
	case !strings.EqualFold(b.Type, "manual"):
		err = refuse(deletion.ClassInvalid, fmt.Sprintf("the backup is of type %q, want Manual", printable(b.Type)))
	case b.Restoring:
		err = refuse(deletion.ClassConflict, "the instance of the backup is being restored")
	case !strings.EqualFold(b.Status, "COMPLETED") && !strings.EqualFold(b.Status, "FAILED"):
		err = refuse(deletion.ClassConflict, fmt.Sprintf("the backup is %q, want COMPLETED or FAILED", printable(b.Status)))
	}
	return d, err
}
