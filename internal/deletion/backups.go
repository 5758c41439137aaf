package deletion

import "context"

// Backups is what this program needs of DDS. Its errors are [*Error] values.
type Backups interface {
	// LookUp returns what the backup list shows of a backup, asked for by its id. An absent backup is no
	// error.
	LookUp(ctx context.Context, backup Target) (Sight, error)
	// DeleteBackup starts the deletion of a backup, without any look-up before it. With maybeSent, an
	// earlier call may have started it already.
	DeleteBackup(ctx context.Context, backup Target, maybeSent bool) (Deletion, error)
	// Job returns the status of a job and, if it failed, the reason.
	Job(ctx context.Context, backup Target, jobID string) (status JobStatus, reason string, err error)
	// List returns a page of the backup list of a project, newest first, by backup id. What is missing there may
	// be on another page.
	List(ctx context.Context, region, projectID string) (map[string]Sight, error)
}

// Deletion is the result of a successful call to delete a backup. At most one member is set.
// If both are empty, DDS accepted the deletion and named no job.
type Deletion struct {
	// JobID is the id of the job that deletes the backup; empty if it is not known.
	JobID string
	// Unconfirmed says why the job id is not known although the deletion was started.
	Unconfirmed string
}

// Backup is a backup as the backup list shows it, in DDS's own words. Members that the answer lacks are
// empty.
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_api_0029.html
type Backup struct {
	// Name, Type and Status are the backup's own.
	Name   string `json:"name,omitempty"`
	Type   string `json:"type,omitempty"`
	Status string `json:"status,omitempty"`
	// InstanceID and InstanceName are those of the instance that was backed up.
	InstanceID   string `json:"instance_id,omitempty"`
	InstanceName string `json:"instance_name,omitempty"`
	// Begin and End are when the backup began and ended.
	Begin string `json:"begin_time,omitempty"`
	End   string `json:"end_time,omitempty"`
	// SizeKB is the size in KB; 0 if it is not known.
	SizeKB float64 `json:"size_kb,omitempty"`
}

// Sight is what DDS shows of a backup. The zero value says that the backup is absent.
type Sight struct {
	// Backup is the backup; nil if DDS has none with that id.
	Backup *Backup
	// Deleting says that the backup is being deleted.
	Deleting bool
	// Refusal says why the backup must not be deleted now, for example because it is no finished manual
	// one; nil if it may be. It says nothing about a backup that is absent or being deleted.
	Refusal *Error
}

// JobStatus is the status of a job of DDS.
// https://support.huaweicloud.com/api-dds/dds_api_0118.html
type JobStatus string

// The statuses of a job.
const (
	JobRunning   JobStatus = "Running"
	JobCompleted JobStatus = "Completed"
	JobFailed    JobStatus = "Failed"
	// JobUnknown is a job that DDS does not know, or not yet, or not any more. It means nothing by itself.
	JobUnknown JobStatus = ""
)
