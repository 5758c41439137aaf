package ddstest

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// jobName is a guess: none of the published names is that of deleting a backup.
const jobName = "DeleteBackup"

// jobTimeLayout has no colon in the offset, unlike RFC 3339.
const jobTimeLayout = "2006-01-02T15:04:05-0700"

// Job is the deletion of a backup.
type Job struct {
	ID                       string // a UUID
	BackupID                 string
	InstanceID, InstanceName string
	Created, Ended           time.Time // Ended may still be to come
	FailReason               string    // why the job fails at its end; empty where it does not
}

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

// Jobs returns every job, in the order in which they were started.
func (s *Server) Jobs() []Job { return s.store.allJobs() }

// FailJobs has the deletions that are started from now on fail at their end: the job says why, and the
// backup stays. An empty reason ends that.
func (s *Server) FailJobs(reason string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.failReason = reason
}

func (s *store) allJobs() []Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.jobs)
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

// showJob shows one job. The real one knows a job only some seconds after its id was told.
//
// https://support.huaweicloud.com/api-dds/dds_api_0118.html
func (s *Server) showJob(r *request) *answer {
	if refusal := only(r.query, "id"); refusal != nil {
		return refusal
	}
	id := r.query.Get("id")
	if id == "" {
		return invalid("id is required")
	}
	now := s.store.now()
	for _, j := range s.Jobs() {
		if j.ID == id {
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
func (s *Server) listJobs(r *request) *answer {
	if refusal := only(r.query, "start_time", "end_time", "status", "id", "name", "offset", "limit"); refusal != nil {
		return refusal
	}
	start, err := parseJobTime(r.query.Get("start_time"))
	if err != nil {
		return refuse(http.StatusBadRequest, "DBS.280067", "Invalid start time.")
	}
	end, err := parseJobTime(r.query.Get("end_time"))
	if err != nil {
		return refuse(http.StatusBadRequest, "DBS.280068", "Invalid end time.")
	}
	if span := end.Sub(start); span < 0 || span > 30*24*time.Hour {
		return refuse(http.StatusBadRequest, "DBS.280068", "Invalid end time: it must be 0 to 30 days after the start time.")
	}
	now := s.store.now()
	var found []listedJob
	for _, j := range slices.Backward(s.Jobs()) {
		created := j.Created.Truncate(time.Second) // the parameters know no less
		if !created.Before(start) && !created.After(end) &&
			matches(r.query, "id", j.ID) && matches(r.query, "name", jobName) && matches(r.query, "status", j.status(now)) {
			found = append(found, listedJob{
				ID: j.ID, Name: jobName, InstanceID: j.InstanceID, InstanceName: j.InstanceName,
				Status: j.status(now), Progress: j.progress(now),
				FailReason: j.failReason(now), CreatedAt: jobTime(j.Created), EndedAt: jobTime(j.Ended),
			})
		}
	}
	page, refusal := pageOf(r.query, found)
	if refusal != nil {
		return refusal
	}
	return succeed(struct {
		Jobs       []listedJob `json:"jobs"`
		TotalCount int         `json:"total_count"`
	}{page, len(found)})
}

func jobTime(t time.Time) string { return t.UTC().Format(jobTimeLayout) }

// parseJobTime takes an offset and, as the page writes it, a Z.
func parseJobTime(s string) (time.Time, error) { return time.Parse("2006-01-02T15:04:05Z0700", s) }
