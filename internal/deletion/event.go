package deletion

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// TypePrefix begins the CloudEvents type of every outcome event. An event with such a type is
// never a request.
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

// Data is the data of an outcome event, and the result that a caller gets.
type Data struct {
	RequestID string `json:"request_id"`
	ProjectID string `json:"project_id"`
	BackupID  string `json:"backup_id,omitempty"`
	JobID     string `json:"job_id,omitempty"`
	Status    Status `json:"status"`
	Error     *Error `json:"error,omitempty"`
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

// Data returns the outcome as its event and its caller see it. Its error is a copy, and has a
// RetryAfter only if there is no verdict, so an event never contains one.
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
// id depends on what the outcome is final for.
func (o *Outcome) writeEvent() (err error) {
	if o.Event, err = o.newEvent(); err != nil {
		return err
	}
	o.Event.ID = recordedID(o)
	o.Event.JSON, err = o.Event.marshal()
	return err
}

// writeUnrecordedEvent writes the event of an outcome that no ledger keeps, unless it is a [Retry].
// A repeat is written anew and may differ, so the id depends on the whole content. It also depends
// on the request as it came in, because the message about a bad id does not repeat that id.
func (o *Outcome) writeUnrecordedEvent(original *Request) {
	if o.Status == Retry {
		return
	}
	var content []byte
	var err error
	if o.Event, err = o.newEvent(); err == nil {
		content, err = o.Event.marshal() // without an id
	}
	if err == nil {
		o.Event.ID = digest(original.Identity(), strconv.Quote(original.Region), strconv.Quote(original.ProjectID),
			strconv.Quote(original.BackupID), string(content))
		o.Event.JSON, err = o.Event.marshal()
	}
	if err != nil {
		o.undelivered(err)
	}
}

// newEvent returns the event of an outcome, without its id and JSON.
func (o *Outcome) newEvent() (Event, error) {
	data, err := json.Marshal(o.Data())
	if err != nil {
		return Event{}, fmt.Errorf("the event could not be written: %w", err)
	}
	return Event{
		Type:        EventType(o.Status),
		Source:      "urn:huaweicloud:dds:" + o.Request.Region + ":" + o.Request.ProjectID,
		Subject:     o.Request.BackupID,
		TraceParent: o.Request.TraceParent,
		TraceHeader: o.Request.TraceHeader,
		Status:      o.Status,
		ProjectID:   o.Request.ProjectID,
		Data:        data,
	}, nil
}

// marshal returns the event in structured mode.
func (e *Event) marshal() ([]byte, error) {
	text, err := json.Marshal(cloudEvent{
		"1.0", e.ID, e.Source, e.Type, e.Subject, "application/json", e.TraceParent, e.Data,
	})
	if err != nil {
		return nil, fmt.Errorf("the event could not be written: %w", err)
	}
	return text, nil
}

// recordedID derives the id of an event from what its outcome is final for. Accepted and
// unconfirmed are final for the backup, so every request for it gets the same event. Not found and
// rejected are final for one request only: another request asks DDS again, so it needs its own id.
func recordedID(o *Outcome) string {
	parts := []string{o.Request.ProjectID, o.Request.BackupID, string(o.Status)}
	if !finalForBackup(o.Status) {
		parts = append(parts, o.Request.Identity())
	}
	return digest(parts...)
}

// digest returns the first half of a SHA-256 of the parts.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}
