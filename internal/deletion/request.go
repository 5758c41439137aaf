// Package deletion is the heart: a [Request] becomes an [Outcome], and the outcome becomes an
// [Event]. It imports no other package of this project: the DDS client, the ledgers and the sinks
// implement its interfaces.
package deletion

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Source names where a payload came from.
type Source string

// Request asks for the deletion of one backup.
type Request struct {
	// ID is the id that the source gave the request: the message id of a queue, the request id of
	// an API or of an invocation. A repeat of a request has the same id.
	ID string
	// Source is where the request came from.
	Source Source
	// Origin tells requests with the same source and id apart if the source does not assign the ids
	// itself: the source attribute of a CloudEvent, the queue of a broker. Mostly empty.
	Origin string
	// MessageID is the id of the message that contains the request and maybe others; empty if the
	// source has no messages.
	MessageID string
	// Order is the ordering key: requests with the same key are processed one after the other. It names a
	// message group or a partition. Requests without a key are processed concurrently.
	Order string
	// Field is the member of the message that names the backup, for example backup_ids[2]; empty
	// for backup_id.
	Field string
	// Region is the region of the backup; empty for the configured one.
	Region string
	// ProjectID is the project of the backup; empty for the configured one.
	ProjectID string
	// BackupID is the backup to delete.
	BackupID string
	// DryRun asks for everything except the deletion. It leaves no trace in the ledger.
	DryRun bool
	// Metadata is a JSON object that the sender wants logged with the request; nil if it sent none.
	Metadata json.RawMessage
	// Redelivered says that the source has delivered the request before.
	Redelivered bool
	// TraceParent is the W3C trace context to carry on; empty if there is none.
	TraceParent string
	// TraceHeader is the X-Ray trace header to carry on; empty if there is none.
	TraceHeader string
	// Err says why this part of a payload is not a valid request; nil if it is. Its class decides the
	// outcome, without a call to DDS.
	Err *Error
}

// Identity returns what two deliveries of the same request have in common. Source, id and origin
// contain no control characters, so different requests have different identities.
func (r *Request) Identity() string {
	identity := string(r.Source) + "\x00" + r.ID
	if r.Origin != "" || r.Field != "" {
		identity += "\x00" + r.Origin + "\x00" + r.Field
	}
	return identity
}

// Scope limits what a request may name, and holds the defaults for what it leaves out.
type Scope struct {
	// Region and ProjectID are the defaults. The region may be empty.
	Region, ProjectID string
	// Regions and Projects are the others that a request may name.
	Regions, Projects []string
}

// admit fills in the defaults and returns why the request cannot be processed, or nil. It removes
// invalid ids and anything outside the scope, so that they appear in no log and no event.
func (s *Scope) admit(r *Request) *Error {
	elsewhere := r.Region != "" && r.Region != s.Region
	var regionErr, projectErr *Error
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
	backupErr := checkID(cmp.Or(r.Field, "backup_id"), r.BackupID)
	if backupErr != nil {
		r.BackupID = ""
	}
	return cmp.Or(r.Err, regionErr, projectErr, backupErr)
}

// Target is a backup: its region, project and id.
type Target struct {
	Region, ProjectID, BackupID string
}

// Target returns the backup that the request names.
func (r *Request) Target() Target {
	return Target{Region: r.Region, ProjectID: r.ProjectID, BackupID: r.BackupID}
}

// maxID bounds, in bytes, a backup or project id. Those of DDS have 36 and 32.
const maxID = 64

// checkID returns what is wrong with the id in the named field, without repeating the id. An id
// becomes a path segment of a destructive call, so few characters are allowed.
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
