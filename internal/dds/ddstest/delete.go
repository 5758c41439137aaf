package ddstest

import (
	"cmp"
	"net/http"
	"strings"
)

// deleteBackup starts the deletion of a manual backup. Its page says 200; 202 belongs to the call of
// GeminiDB on the same path.
//
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_api_0028.html
func (s *store) deleteBackup(r *request) *answer {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, found := range s.records {
		b, there := s.seen(found, now)
		if !there || b.ID != r.backupID {
			continue
		}
		refusal := refuseDeletion(b)
		if refusal != nil {
			return refusal
		}
		job := Job{
			ID: newUUID(), BackupID: b.ID, InstanceID: b.InstanceID, InstanceName: b.InstanceName,
			Created: now, Ended: now.Add(cmp.Or(b.DeletionTime, s.deletionTime)),
			FailReason: cmp.Or(s.failReasons[b.ID], s.failReasons[""]),
		}
		found.ends, found.fails = job.Ended, job.FailReason != ""
		s.jobs = append(s.jobs, job)
		return &answer{status: http.StatusOK, value: map[string]string{"job_id": job.ID}, jobID: job.ID}
	}
	return refuse(http.StatusBadRequest, "DBS.201214", "The backup file does not exist or does not belong to the instance.")
}

// refuseDeletion returns why a backup cannot be deleted, or nil. Which code goes with BUILDING, with a
// second deletion and with an automated backup is inferred from the code table.
//
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_error_code.html
func refuseDeletion(b Backup) *answer {
	switch {
	case b.beingDeleted():
		return refuse(http.StatusBadRequest, "DBS.201204", "The state of the backup does not allow this operation, or the backup does not exist.")
	case !b.is("Manual"):
		return refuse(http.StatusBadRequest, "DBS.200004", "The operation is not allowed: only manual backups can be deleted.")
	case b.Restoring:
		return refuse(http.StatusBadRequest, "DBS.201319", "The backup is being used for a restoration. Try again later.")
	case strings.EqualFold(b.Status, "BUILDING"):
		return refuse(http.StatusForbidden, "DBS.200019", "Another operation is being performed. Try again later.")
	default:
		return nil
	}
}
