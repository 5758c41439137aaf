package dds

// Removed with deletion.Deleter: this file, its call in DeleteBackup, Options.RequireManual,
// Client.requireManual and requiremanual_test.go. The service looks up first, see [Client.LookUp].

import (
	"context"
	"net/http"

	"dds-backup-delete/internal/deletion"
)

// CheckBackup does what [Client.DeleteBackup] does before the DELETE, and returns its error. A backup
// that is already being deleted is not an error, because DeleteBackup would send no DELETE for it.
func (c *Client) CheckBackup(ctx context.Context, t deletion.Target) error {
	if c.requireManual {
		_, err := c.checkManual(ctx, t, false)
		return err
	}
	_, err := c.newProjectCall(ctx, http.MethodDelete, t.Region, t.ProjectID, nil, "backups", t.BackupID)
	return err
}

// checkManual returns nothing for a finished manual backup, an unconfirmed deletion for a backup that
// is already being deleted, and an error otherwise.
func (c *Client) checkManual(ctx context.Context, t deletion.Target, maybeSent bool) (d deletion.Deletion, err error) {
	sight, err := c.LookUp(ctx, t)
	switch {
	case err != nil:
	case sight.Backup == nil && maybeSent:
		d.Unconfirmed = "the deletion may have been started before, and now the backup is gone"
	case sight.Backup == nil:
		err = &deletion.Error{
			Class:   deletion.ClassNotFound,
			Message: "REQUIRE_MANUAL: the backup list has no such backup; an incremental backup is not visible by its id alone",
		}
	case sight.Deleting:
		d.Unconfirmed = "the backup is being deleted already, by which job is not known"
	case sight.Refusal != nil:
		err = sight.Refusal
	}
	return d, err
}
