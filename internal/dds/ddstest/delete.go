package ddstest

import (
	"net/http"
	"strings"
)

// deleteBackup starts the deletion of a manual backup. Its page says 200; 202 belongs to the call of
// GeminiDB on the same path.
//
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_api_0028.html
func (s *Server) deleteBackup(r *request) *answer {
	job, refusal := s.store.remove(r.backupID)
	if refusal != nil {
		return refusal
	}
	a := succeed(map[string]string{"job_id": job.ID})
	a.jobID = job.ID
	return a
}

// remove deletes a backup and starts the job of it.
func (s *store) remove(id string) (Job, *answer) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(id)
	if i < 0 {
		return Job{}, noSuchBackup()
	}
	b, ok := s.seen(s.records[i], now)
	if !ok {
		return Job{}, noSuchBackup()
	}
	if refusal := undeletable(b); refusal != nil {
		return Job{}, refusal
	}
	job := Job{
		ID: newJobID(), BackupID: id, InstanceID: b.InstanceID, InstanceName: b.InstanceName,
		Created: now, Ended: now.Add(s.deleteTakes), FailReason: s.failReason,
	}
	s.records[i].deleted, s.records[i].fails = now, s.failReason != ""
	s.jobs = append(s.jobs, job)
	return job, nil
}

// undeletable says why a backup cannot be deleted, if it cannot. Which code goes with BUILDING,
// with a second deletion and with an automated backup is inferred from the code table.
//
// https://support.huaweicloud.com/intl/en-us/api-dds/dds_error_code.html
func undeletable(b Backup) *answer {
	switch {
	case b.beingDeleted():
		return refuse(http.StatusBadRequest, "DBS.201204", "The state of the backup does not allow this operation, or the backup does not exist.")
	case !b.manual():
		return refuse(http.StatusBadRequest, "DBS.200004", "The operation is not allowed: only manual backups can be deleted.")
	case b.Restoring:
		return refuse(http.StatusBadRequest, "DBS.201319", "The backup is being used for a restoration. Try again later.")
	case strings.EqualFold(b.Status, "BUILDING"):
		return refuse(http.StatusForbidden, "DBS.200019", "Another operation is being performed. Try again later.")
	default:
		return nil
	}
}

func noSuchBackup() *answer {
	return refuse(http.StatusBadRequest, "DBS.201214", "The backup file does not exist or does not belong to the instance.")
}
