package deletion

import (
	"encoding/json"
	"strconv"
	"time"
)

// Status is the verdict on a request.
type Status string

// The statuses of an [Outcome].
const (
	// Accepted means that DDS started the deletion; the job id is known.
	Accepted Status = "accepted"
	// Unconfirmed means that the deletion was started, but its job id is not known.
	Unconfirmed Status = "unconfirmed"
	// NotFound means that DDS does not know the backup.
	NotFound Status = "not_found"
	// Rejected means that the request will never succeed unchanged.
	Rejected Status = "rejected"
	// Simulated means that a dry run found nothing that prevents the deletion. DDS was not asked for it.
	Simulated Status = "simulated"
	// Abandoned means that the source or the ledger gave the request up without a verdict. If its message
	// comes again, it is worked.
	Abandoned Status = "abandoned"
	// Completed means that the deletion ended: the backup is gone.
	Completed Status = "completed"
	// Failed means that the deletion ended and the backup is still there.
	Failed Status = "failed"
	// Closed means that nobody looks any more, and the end is not known. It is no event.
	Closed Status = "closed"
	// Retry means that there is no verdict: the request goes back to its source, and nothing is published.
	Retry Status = "retry"
)

// notDue is the status of a request of the agenda that is not due any more. It is no outcome.
const notDue Status = "not_due"

// statusOf returns the status of a request that ended with an error of the class.
func statusOf(c Class) Status {
	switch c {
	case ClassInvalid:
		return Rejected
	case ClassNotFound:
		return NotFound
	default:
		return Retry
	}
}

// finalForBackup reports whether the status answers every later request for the backup, and not
// only a repeat of the same request.
func finalForBackup(s Status) bool { return s == Accepted || s == Unconfirmed }

// Outcome is the result of one request.
type Outcome struct {
	// Request is the request, with the defaults of the scope filled in.
	Request Request
	// Status is the verdict.
	Status Status
	// JobID is the id of the job that deletes the backup. It is kept if the outcome could not be delivered.
	JobID string
	// Err says why the request was not accepted; nil for an accepted request.
	Err *Error
	// Event is what is published; the zero value for [Retry].
	Event Event
	// Unpublished says that the sink did not take the event.
	Unpublished bool
	// LedgerFailed says that the ledger could not be asked, or did not take the outcome.
	LedgerFailed bool
	// Replayed says that the outcome comes from the ledger and DDS was not asked.
	Replayed bool
	// Parked says that the ledger keeps the request and will try it again, so the source must not.
	Parked bool
	// Duration is how long the call to DDS took, including waits between tries.
	Duration time.Duration
}

// failed returns the outcome of a request that ended with err.
func failed(request Request, err *Error) Outcome {
	return Outcome{Request: request, Status: statusOf(err.Class), Err: err}
}

// undelivered turns o into a retry because its event could not be published. It keeps the job id.
func (o *Outcome) undelivered(err error) {
	o.Status, o.Event, o.Unpublished = Retry, Event{}, true
	o.Err = newError(ClassUndelivered, "the outcome could not be published")
	o.Err.Cause = err.Error()
}

// TypePrefix begins the CloudEvents types of outcome events, and of the default request event. No other
// type that begins with it is a request.
const TypePrefix = "dds.backup.deletion."

// EventType returns the CloudEvents type of the events of a status.
func EventType(s Status) string { return TypePrefix + string(s) + ".v1" }

// Event is an outcome as it is published: a CloudEvent 1.0 in JSON.
//
// Its bytes depend only on the outcome and contain no time, so a repeat of an outcome is the same
// event to the last byte.
type Event struct {
	// ID, Type, Source, Subject and TraceParent are the CloudEvents attributes.
	ID, Type, Source, Subject, TraceParent string
	// AuthType, AuthID and AuthClaimed are extension attributes: who asked, and whether only the sender
	// says so. AuthType is empty if nothing is known.
	AuthType, AuthID string
	AuthClaimed      bool
	// TraceHeader is the X-Ray trace header of the request, for sinks that can carry it. It is not
	// part of JSON, because a repeat may come with another one.
	TraceHeader string
	// Status and ProjectID are those of the data, for sinks whose subscribers filter by them.
	Status    Status
	ProjectID string
	// Data is the JSON of the event's [Data], and JSON that of the whole event in structured mode.
	Data, JSON []byte
}

// Data is the data of an outcome event, and the result that a caller gets. docs/outcomes.md describes
// its members.
type Data struct {
	RequestID string `json:"request_id"`
	ProjectID string `json:"project_id"`
	BackupID  string `json:"backup_id,omitempty"`
	JobID     string `json:"job_id,omitempty"`
	Status    Status `json:"status"`
	// Attempt is the number of the attempt, from 1. An outcome of the first attempt leaves it out.
	Attempt int    `json:"attempt,omitempty"`
	Error   *Error `json:"error,omitempty"`
	// Tries and Since are those of an abandoned request.
	Tries int       `json:"tries,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// The others are those of an end. Seconds is how long it took, and SizeKB what was freed.
	Reason       string  `json:"reason,omitempty"`
	Seconds      int64   `json:"seconds,omitempty"`
	SizeKB       float64 `json:"size_kb,omitempty"`
	InstanceID   string  `json:"instance_id,omitempty"`
	InstanceName string  `json:"instance_name,omitempty"`
	// Replayed says to a caller that the outcome is an earlier one. An event never has it, because all
	// repeats of an outcome are the same event.
	Replayed bool `json:"replayed,omitempty"`
}

// cloudEvent is an event in structured mode.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
type cloudEvent struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject,omitempty"`
	DataContentType string          `json:"datacontenttype"`
	TraceParent     string          `json:"traceparent,omitempty"`
	AuthType        string          `json:"authtype,omitempty"`
	AuthID          string          `json:"authid,omitempty"`
	AuthClaimed     bool            `json:"authclaimed,omitempty"`
	Data            json.RawMessage `json:"data"`
}

// Result returns the outcome as its caller sees it.
func (o *Outcome) Result() Data {
	d := o.Data()
	d.Replayed = o.Replayed
	return d
}

// Data returns the outcome as its event has it. Its error is a copy, and has a RetryAfter only if there
// is no verdict, so an event never contains one.
func (o *Outcome) Data() Data {
	d := Data{
		RequestID: o.Request.ID,
		ProjectID: o.Request.ProjectID,
		BackupID:  o.Request.BackupID,
		JobID:     o.JobID,
		Status:    o.Status,
	}
	if o.Err != nil {
		e := *o.Err
		if o.Status != Retry {
			e.RetryAfter = 0
		}
		d.Error = &e
	}
	return d
}

// writeEvent writes the event of an outcome that the ledger keeps and returns for every repeat. Its
// id depends on what the outcome is final for. Accepted and unconfirmed are final for the attempt, so
// every request for the backup gets the same event. Not found and rejected are final for one request only:
// another request asks DDS again, so it needs its own id. The attempt counts from 0. With again, an earlier
// holder of the lease may have published a job of its own, so a job id is part of the id.
func (o *Outcome) writeEvent(attempt int, again bool) {
	parts := []string{o.Request.ProjectID, o.Request.BackupID, string(o.Status)}
	switch {
	case !finalForBackup(o.Status):
		parts = append(parts, o.Request.Identity())
	case again && o.JobID != "":
		parts = append(parts, o.JobID)
	}
	data := o.Data()
	data.setAttempt(attempt)
	o.Event = newEvent(digest(append(parts, attemptParts(attempt)...)...), &o.Request, &data)
}

// setAttempt notes the number of an attempt, which counts from 0. The first attempt leaves it out.
func (d *Data) setAttempt(attempt int) {
	if attempt > 0 {
		d.Attempt = attempt + 1
	}
}

// attemptParts returns what the number of an attempt adds to ids. The first attempt adds nothing, so its
// ids are those of the versions that knew only one.
func attemptParts(attempt int) []string {
	if attempt == 0 {
		return nil
	}
	return []string{"attempt", strconv.Itoa(attempt + 1)}
}

// writeUnrecordedEvent writes the event of an outcome that no ledger keeps, unless it is a [Retry].
// A repeat is written anew and may differ, so the id depends on the whole content. It also depends
// on the request as it came in, because the message about a bad id does not repeat that id.
func (o *Outcome) writeUnrecordedEvent(original *Request) {
	if o.Status == Retry {
		return
	}
	data := o.Data()
	o.Event = newEvent(digest(original.Identity(), strconv.Quote(original.Region), strconv.Quote(original.ProjectID),
		strconv.Quote(original.BackupID), string(newEvent("", &o.Request, &data).JSON)), &o.Request, &data)
}

// newEvent returns an event under an id, about the backup of a request.
func newEvent(id string, r *Request, d *Data) Event {
	e := cloudEvent{
		SpecVersion: "1.0", ID: id, Source: "urn:huaweicloud:dds:" + r.Region + ":" + r.ProjectID, Type: EventType(d.Status),
		Subject: r.BackupID, DataContentType: "application/json", TraceParent: r.TraceParent, Data: marshal(d),
	}
	if r.By != nil {
		e.AuthType, e.AuthID, e.AuthClaimed = r.By.Type, r.By.ID, r.By.Claimed
	}
	return e.event(marshal(e), d.Status, r.ProjectID, r.TraceHeader)
}

// event returns e, whose JSON is known, as an [Event].
func (e *cloudEvent) event(text []byte, status Status, projectID, traceHeader string) Event {
	return Event{
		ID: e.ID, Type: e.Type, Source: e.Source, Subject: e.Subject, TraceParent: e.TraceParent, TraceHeader: traceHeader,
		AuthType: e.AuthType, AuthID: e.AuthID, AuthClaimed: e.AuthClaimed,
		Status: status, ProjectID: projectID, Data: e.Data, JSON: text,
	}
}

// parseEvent reads the JSON of an event of this program, as a ledger keeps it.
func parseEvent(text, traceHeader string) (e Event, d Data, err error) {
	var c cloudEvent
	if err = json.Unmarshal([]byte(text), &c); err == nil {
		err = json.Unmarshal(c.Data, &d)
	}
	return c.event([]byte(text), d.Status, d.ProjectID, traceHeader), d, err
}

// Results is the answer to a list of requests: a result for each, in their order.
type Results struct {
	Results []Data `json:"results"`
}

// ResultsOf returns the results of outcomes.
func ResultsOf(outcomes []Outcome) Results {
	all := Results{make([]Data, len(outcomes))}
	for i := range outcomes {
		all.Results[i] = outcomes[i].Result()
	}
	return all
}

// LongestRetry returns the outcome that should wait longest before its source tries it again; nil if the source
// need not try any again.
func LongestRetry(outcomes []Outcome) *Outcome {
	var found *Outcome
	for i := range outcomes {
		if o := &outcomes[i]; o.Status == Retry && !o.Parked && (found == nil || o.Err.RetryAfter > found.Err.RetryAfter) {
			found = o
		}
	}
	return found
}
