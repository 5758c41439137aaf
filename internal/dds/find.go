package dds

import (
	"context"
	"strconv"

	"dds-backup-delete/internal/deletion"
)

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
