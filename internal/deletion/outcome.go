package deletion

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
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
	// Abandoned means that the source or the ledger gave the request up without a verdict. A message that comes
	// again is worked all the same.
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
	Error     *Error `json:"error,omitempty"`
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
// id depends on what the outcome is final for. Accepted and unconfirmed are final for the backup, so
// every request for it gets the same event. Not found and rejected are final for one request only:
// another request asks DDS again, so it needs its own id.
func (o *Outcome) writeEvent() {
	parts := []string{o.Request.ProjectID, o.Request.BackupID, string(o.Status)}
	if !finalForBackup(o.Status) {
		parts = append(parts, o.Request.Identity())
	}
	o.Event = o.newEvent(digest(parts...))
}

// writeUnrecordedEvent writes the event of an outcome that no ledger keeps, unless it is a [Retry].
// A repeat is written anew and may differ, so the id depends on the whole content. It also depends
// on the request as it came in, because the message about a bad id does not repeat that id.
func (o *Outcome) writeUnrecordedEvent(original *Request) {
	if o.Status == Retry {
		return
	}
	o.Event = o.newEvent(digest(original.Identity(), strconv.Quote(original.Region), strconv.Quote(original.ProjectID),
		strconv.Quote(original.BackupID), string(o.newEvent("").JSON)))
}

// newEvent returns the event of an outcome under an id.
func (o *Outcome) newEvent(id string) Event {
	r := &o.Request
	e := cloudEvent{
		SpecVersion: "1.0", ID: id, Source: "urn:huaweicloud:dds:" + r.Region + ":" + r.ProjectID, Type: EventType(o.Status),
		Subject: r.BackupID, DataContentType: "application/json", TraceParent: r.TraceParent, Data: marshal(o.Data()),
	}
	return e.event(marshal(e), o.Status, r.ProjectID, r.TraceHeader)
}

// event returns e, whose JSON is known, as an [Event].
func (e *cloudEvent) event(text []byte, status Status, projectID, traceHeader string) Event {
	return Event{
		ID: e.ID, Type: e.Type, Source: e.Source, Subject: e.Subject, TraceParent: e.TraceParent, TraceHeader: traceHeader,
		Status: status, ProjectID: projectID, Data: e.Data, JSON: text,
	}
}

// marshal returns the JSON of [Data] or a [cloudEvent]. That cannot fail, because both consist of
// texts, numbers and JSON.
func marshal(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

// digest returns the first half of a SHA-256 of the parts.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
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
