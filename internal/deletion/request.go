// Package deletion is the heart: a [Request] becomes an [Outcome], and the outcome becomes an
// [Event]. It imports no other package of this project: the DDS client, the ledgers and the sinks
// implement its interfaces.
package deletion

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// Source names where a payload came from.
type Source string

// Request asks for the deletion of one backup.
type Request struct {
	// ID is the id that the source gave the request: the message id of a queue, the request id of
	// an API or of an invocation. A repeat of a request has the same id.
	ID string `json:"id"`
	// Source is where the request came from.
	Source Source `json:"source"`
	// Origin tells requests with the same source and id apart if the source does not assign the ids
	// itself: the source attribute of a CloudEvent, the queue of a broker. Mostly empty.
	Origin string `json:"origin,omitempty"`
	// MessageID is the id of the message that contains the request and maybe others; empty if the
	// source has no messages.
	MessageID string `json:"message_id,omitempty"`
	// Order is the ordering key: requests with the same key are processed one after the other. It names a
	// message group or a partition. Requests without a key are processed concurrently.
	Order string `json:"-"`
	// Field is the member of the message that names the backup, for example backup_ids[2]; empty
	// for backup_id.
	Field string `json:"field,omitempty"`
	// Region is the region of the backup; empty for the configured one.
	Region string `json:"region,omitempty"`
	// ProjectID is the project of the backup; empty for the configured one.
	ProjectID string `json:"project_id"`
	// BackupID is the backup to delete.
	BackupID string `json:"backup_id"`
	// DryRun asks for everything except the deletion. It leaves no trace in the ledger.
	DryRun bool `json:"-"`
	// Metadata is a JSON object that the sender wants logged with the request; nil if it sent none.
	Metadata json.RawMessage `json:"metadata,omitempty"`
	// Redelivered says that the source has delivered the request before.
	Redelivered bool `json:"-"`
	// TraceParent is the W3C trace context to carry on; empty if there is none.
	TraceParent string `json:"traceparent,omitempty"`
	// TraceHeader is the X-Ray trace header to carry on; empty if there is none.
	TraceHeader string `json:"trace_header,omitempty"`
	// ExpiresAt is when the request loses its meaning; zero if it never does.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// SentAt is the oldest time that the payload has for the request; zero if it has none.
	SentAt time.Time `json:"sent_at,omitzero"`
	// By is who asked; nil if that is not known. It is no part of the request's identity.
	By *Principal `json:"by,omitempty"`
	// Receives counts how often its queue delivered the request, this delivery included; 0 if the source
	// does not say.
	Receives int `json:"receives,omitempty"`
	// LastReceive says that the queue will not deliver the request again.
	LastReceive bool `json:"-"`
	// Parkable says that the source may not deliver the request again and nobody waits for its result, so
	// the ledger must keep it until there is a verdict.
	Parkable bool `json:"-"`
	// OnAgenda says that the request comes from the agenda of the ledger, and not from a source.
	OnAgenda bool `json:"-"`
	// Err says why this part of a payload is not a valid request; nil if it is. Its class decides the
	// outcome, without a call to DDS.
	Err *Error `json:"-"`
}

// Principal is who asked for a deletion, as the CloudEvents extension "Auth Context" has it.
// https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/authcontext.md
type Principal struct {
	// Type is the kind of principal: app_user, user, service_account, system or unknown.
	Type string `json:"type"`
	// ID names the principal, for example by its ARN.
	ID string `json:"id,omitempty"`
	// Claimed says that the sender wrote this itself, and no service confirms it.
	Claimed bool `json:"claimed,omitempty"`
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

// comesOnce reports whether no source will surely deliver the request again.
func (r *Request) comesOnce() bool { return r.Parkable || r.LastReceive || r.OnAgenda }

// Key returns the key of a request inside an [Item]. It is a hash because an id may be any text.
func (r *Request) Key() string { return digest(r.Identity()) }

// Scope limits what a request may name, and holds the defaults for what it leaves out.
type Scope struct {
	// Region and ProjectID are the defaults. The region may be empty.
	Region, ProjectID string
	// Regions and Projects are the others that a request may name.
	Regions, Projects []string
}

// hasRegion reports whether a request may name that region.
func (s *Scope) hasRegion(region string) bool {
	return region == s.Region || slices.Contains(s.Regions, region)
}

// hasProject reports whether a request may name that project.
func (s *Scope) hasProject(id string) bool {
	return id == s.ProjectID || slices.Contains(s.Projects, id)
}

// admit fills in the defaults and returns why the request cannot be processed, or nil. It removes
// invalid ids and anything outside the scope, so that they appear in no log and no event.
func (s *Scope) admit(r *Request) *Error {
	elsewhere := r.Region != "" && r.Region != s.Region
	var regionErr, projectErr *Error
	if elsewhere && !s.hasRegion(r.Region) {
		regionErr = invalid("region: neither the configured one nor one of ALLOWED_REGIONS")
	}
	if regionErr != nil || !elsewhere {
		r.Region = s.Region
	}
	switch {
	case r.ProjectID == "" && elsewhere:
		projectErr = invalid("project_id: missing; expected the project in the region that the request names")
	case r.ProjectID != "" && !s.hasProject(r.ProjectID):
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
