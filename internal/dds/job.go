package dds

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"dds-backup-delete/internal/deletion"
)

// codeNoJob is what the jobs API answers to an id that it does not know. It is in no published table, and is read
// in two opposite ways: terraform-provider-huaweicloud takes it for the end of a deletion, gophertelekomcloud
// for a job that is not registered yet.
const codeNoJob = "DBS.200543"

// Job implements [deletion.Backups]. It needs the permission dds:task:getDetail. Its error has no MaybeSent.
//
// https://support.huaweicloud.com/api-dds/dds_api_0118.html
func (c *Client) Job(ctx context.Context, t deletion.Target, jobID string) (status deletion.JobStatus, reason string, err error) {
	request, err := c.newProjectCall(ctx, http.MethodGet, t.Region, t.ProjectID, url.Values{"id": {jobID}}, "jobs")
	if err != nil {
		return deletion.JobUnknown, "", err
	}
	var body struct {
		Job *struct {
			ID         text `json:"id"`
			Status     text `json:"status"`
			FailReason text `json:"fail_reason"`
		} `json:"job"`
	}
	resp, err := c.read(request, "dds:task:getDetail", &body)
	e, failed := errors.AsType[*deletion.Error](err)
	switch {
	case failed && e.Code == codeNoJob:
		return deletion.JobUnknown, "", nil
	case err != nil:
		return deletion.JobUnknown, "", err
	case body.Job == nil || body.Job.ID != "" && !strings.EqualFold(string(body.Job.ID), jobID): // another job says nothing
		return deletion.JobUnknown, "", unreadable(resp)
	}
	for _, known := range []deletion.JobStatus{deletion.JobRunning, deletion.JobCompleted, deletion.JobFailed} {
		if strings.EqualFold(string(body.Job.Status), string(known)) {
			status = known
		}
	}
	if status == deletion.JobFailed {
		reason = printable(string(body.Job.FailReason))
	}
	return status, reason, nil
}
