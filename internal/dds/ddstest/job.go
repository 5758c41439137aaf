package ddstest

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// jobName is a guess: none of the published names is that of deleting a backup.
const jobName = "DeleteBackup"

// The forms of times have no colon in the offset, unlike RFC 3339. A parameter may have a Z instead, as
// the page writes it.
const (
	jobTimeLayout      = "2006-01-02T15:04:05-0700"
	jobParameterLayout = "2006-01-02T15:04:05Z0700"
)

func (j Job) status(now time.Time) string {
	switch {
	case now.Before(j.Ended):
		return "Running"
	case j.FailReason != "":
		return "Failed"
	default:
		return "Completed"
	}
}

// failReason is null as long as the job has not failed.
func (j Job) failReason(now time.Time) *string {
	if j.status(now) != "Failed" {
		return nil
	}
	return &j.FailReason
}

// progress is empty once the job is done, as the page has it.
func (j Job) progress(now time.Time) string {
	if j.status(now) != "Running" {
		return ""
	}
	return fmt.Sprintf("%d%%", 100*now.Sub(j.Created)/j.Ended.Sub(j.Created))
}

// shownJob is a job by itself. Its fields have other names than those of the list.
type shownJob struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Status     string   `json:"status"`
	Created    string   `json:"created"`
	Ended      string   `json:"ended"`
	Progress   string   `json:"progress"`
	Instance   instance `json:"instance"`
	FailReason *string  `json:"fail_reason"`
}

type instance struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// showJob shows one job. A job is not known before the delay of [Options] is over.
//
// https://support.huaweicloud.com/api-dds/dds_api_0118.html
func (s *store) showJob(r *request) *answer {
	if s.mayNotShowJob {
		return refuse(http.StatusForbidden, "DBS.280063", "Policy does not allow dds:task:getDetail to be performed.")
	}
	id := r.query.Get("id")
	refusal := r.only("id")
	switch {
	case refusal != nil:
		return refusal
	case id == "":
		return invalid("id is required")
	}
	now := s.now()
	for _, j := range s.Jobs() {
		if j.ID == id && !now.Before(j.Created.Add(s.jobDelay)) {
			return succeed(map[string]shownJob{"job": {
				ID: j.ID, Name: jobName, Status: j.status(now), Progress: j.progress(now),
				Created: jobTime(j.Created), Ended: jobTime(j.Ended),
				Instance: instance{j.InstanceID, j.InstanceName}, FailReason: j.failReason(now),
			}})
		}
	}
	// In no published table, but seen by terraform-provider-huaweicloud and gophertelekomcloud.
	return refuse(http.StatusBadRequest, "DBS.200543", "The task does not exist.")
}

// listedJob is a job in the list.
type listedJob struct {
	ID           string  `json:"id"`
	Name         string  `json:"name"`
	InstanceID   string  `json:"instance_id"`
	InstanceName string  `json:"instance_name"`
	Status       string  `json:"status"`
	Progress     string  `json:"progress"`
	FailReason   *string `json:"fail_reason"`
	CreatedAt    string  `json:"created_at"`
	EndedAt      string  `json:"ended_at"`
}

// listJobs lists the jobs that were created in a span of time, newest first (inferred).
//
// https://support.huaweicloud.com/api-dds/dds_api_0301.html
func (s *store) listJobs(r *request) *answer {
	refusal := r.only("start_time", "end_time", "status", "id", "name", "offset", "limit")
	if refusal != nil {
		return refusal
	}
	start, end, refusal := r.span("start_time", "end_time", jobParameterLayout)
	if refusal != nil {
		return refusal
	}
	if end.Sub(start) > 30*24*time.Hour {
		return refuse(http.StatusBadRequest, "DBS.280068", "Invalid end time: it must be 0 to 30 days after the start time.")
	}
	now := s.now()
	var found []listedJob
	for _, j := range slices.Backward(s.Jobs()) {
		created := j.Created.Truncate(time.Second) // the parameters have no smaller unit
		if !created.Before(start) && !created.After(end) && r.matches("id", j.ID) && r.matches("name", jobName) && r.matches("status", j.status(now)) {
			found = append(found, listedJob{
				ID: j.ID, Name: jobName, InstanceID: j.InstanceID, InstanceName: j.InstanceName,
				Status: j.status(now), Progress: j.progress(now),
				FailReason: j.failReason(now), CreatedAt: jobTime(j.Created), EndedAt: jobTime(j.Ended),
			})
		}
	}
	return page(r, "jobs", found)
}

func jobTime(t time.Time) string { return t.UTC().Format(jobTimeLayout) }
