// Package deletion is the heart: a [Request] becomes an [Outcome], and the outcome an
// [Event] for whoever waits for it. It knows no source's JSON and no AWS.
package deletion

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"dds-backup-delete/internal/dds"
)

// Source names where a payload came from.
type Source string

// Request asks for the deletion of one backup.
type Request struct {
	// ID is what the source calls the request: the message id of a queue, the request id of
	// an API or of an invocation. A repeat of the same request has the same id.
	ID string
	// Source is where the request came from.
	Source Source
	// Origin tells requests of one source and id apart, where the source does not give out the
	// ids itself: the source attribute of a CloudEvent, the queue of a broker. Mostly empty.
	Origin string
	// MessageID is what the source calls the message that holds the request, which may hold several;
	// empty where the request is all there is.
	MessageID string
	// Order is the same for requests that must be worked one after the other: a message group,
	// a partition. Empty for the others, which are worked at once.
	Order string
	// Field is where its message names the backup, as backup_ids[2]; empty for backup_id.
	Field string
	// Region is the region of the backup; empty for the configured one.
	Region string
	// ProjectID is the project of the backup; empty for the configured one.
	ProjectID string
	// BackupID is the backup to delete.
	BackupID string
	// DryRun asks for everything but the deletion, and leaves no trace in the ledger.
	DryRun bool
	// Metadata is a JSON object that the sender wants logged with the request; nil where it sent none.
	Metadata json.RawMessage
	// Redelivered says that the source has delivered the request before.
	Redelivered bool
	// TraceParent is the W3C trace context to carry on; empty where the source gave none.
	TraceParent string
	// TraceHeader is the X-Ray trace header to carry on; empty where there is none.
	TraceHeader string
	// Err says why this part of a payload is no request that can be worked; nil where it is
	// one. Its class decides what becomes of the request, without a call to DDS.
	Err *Error
}

// Identity is what makes two deliveries the same request. Source, id and origin hold no control
// characters, so that nothing else has the same.
func (r *Request) Identity() string {
	identity := string(r.Source) + "\x00" + r.ID
	if r.Origin != "" || r.Field != "" {
		identity += "\x00" + r.Origin + "\x00" + r.Field
	}
	return identity
}

// Scope is what may be deleted, and what a request means that leaves something out.
type Scope struct {
	// Region and ProjectID are those of a request that names none. The region may be empty.
	Region, ProjectID string
	// Regions and Projects are the others that a request may name.
	Regions, Projects []string
}

// admit completes the request and returns why it cannot be worked, or nil. What cannot be an
// id, or lies outside the scope, is taken out: nobody downstream gets to see it.
func (s *Scope) admit(r *Request) *Error {
	elsewhere := r.Region != "" && r.Region != s.Region
	var regionErr, projectErr, backupErr *Error
	if elsewhere && !slices.Contains(s.Regions, r.Region) {
		regionErr = invalid("region: neither the configured one nor one of ALLOWED_REGIONS")
	}
	if regionErr != nil || !elsewhere {
		r.Region = s.Region
	}
	switch {
	case r.ProjectID == "" && elsewhere:
		projectErr = invalid("project_id: missing; expected the project in the region that the request names")
	case r.ProjectID != "" && r.ProjectID != s.ProjectID && !slices.Contains(s.Projects, r.ProjectID):
		projectErr = invalid("project_id: neither the configured one nor one of ALLOWED_PROJECTS")
	}
	if projectErr != nil || r.ProjectID == "" {
		r.ProjectID = s.ProjectID
	}
	if backupErr = checkID(cmp.Or(r.Field, "backup_id"), r.BackupID); backupErr != nil {
		r.BackupID = ""
	}
	return cmp.Or(r.Err, regionErr, projectErr, backupErr)
}

func (r *Request) target() dds.Target {
	return dds.Target{Region: r.Region, ProjectID: r.ProjectID, BackupID: r.BackupID}
}

// maxID bounds, in bytes, a backup or project id. Those of DDS have 36 and 32.
const maxID = 64

// checkID says what is wrong with the id in the named field, without repeating the id. An id
// becomes a path segment of a destructive call, so what it may hold is narrow.
func checkID(field, id string) *Error {
	const want = `expected 1 to 64 letters, digits, "-" or "_"`
	switch {
	case id == "":
		return invalid("%s: empty; %s", field, want)
	case len(id) > maxID:
		return invalid("%s: %d bytes long; %s", field, len(id), want)
	}
	for i, c := range id {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return invalid("%s: character %U at byte %d of %d; %s", field, c, i, len(id), want)
		}
	}
	return nil
}

func invalid(format string, args ...any) *Error {
	return &Error{Class: ClassInvalid, Message: fmt.Sprintf(format, args...)}
}
