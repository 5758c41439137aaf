package body

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// ofPlain is plainContent, and notes the member dry_run also if the request is invalid: a query that
// repeats it contradicts the body as a whole.
func ofPlain(members strictjson.Object, base deletion.Request) Content {
	c := plainContent(members, base)
	c.NamesDryRun = members.Has("dry_run")
	return c
}

// plainContent reads {"backup_id": "…", "project_id": "…", …}, the innermost form of a request.
// {"backup_ids": ["…"]} asks for several deletions.
func plainContent(members strictjson.Object, base deletion.Request) Content {
	if why := cmp.Or(notARequest(members), missingBackup(members), checkMembers(members)); why != "" {
		return Invalid(base, why)
	}
	r := base
	err := readOptions(members, &r)
	name, value, twice := backupMember(members)
	if err = cmp.Or(err, twice); err != nil {
		return Invalid(base, err.Error())
	}
	if name != "backup_ids" {
		return Content{Requests: []deletion.Request{withBackup(r, name, value)}}
	}
	ids, err := value.Array()
	if err == nil && (len(ids) == 0 || len(ids) > MaxList) {
		err = fmt.Errorf("%d elements; expected 1 to %d", len(ids), MaxList)
	}
	if err != nil {
		return Invalid(r, "backup_ids: "+err.Error())
	}
	c := Content{List: true, Requests: make([]deletion.Request, len(ids))}
	for i, id := range ids {
		c.Requests[i] = withBackup(r, "backup_ids["+strconv.Itoa(i)+"]", id)
	}
	return c
}

// maxMetadata bounds, in bytes, the metadata of a request as it was sent.
const maxMetadata = 1024

// readOptions reads the members of a request that do not name what to delete.
func readOptions(members strictjson.Object, r *deletion.Request) error {
	for _, m := range members {
		text, isText := m.Value.Bytes()
		valid, expected := true, ""
		switch string(m.Name) {
		case "project_id":
			r.ProjectID = string(text)
			valid, expected = r.ProjectID != "", "a string that is not empty"
		case "region":
			r.Region = string(text)
			valid, expected = r.Region != "", "a string that is not empty"
		case "traceparent": // a receiver ignores one that it cannot parse, says W3C Trace Context
			r.TraceParent = cmp.Or(TraceParent(string(text)), r.TraceParent)
			valid, expected = isText, "a string"
		case "dry_run":
			r.DryRun = string(m.Value) == "true"
			valid, expected = m.Value.Kind() == "boolean", "true or false"
		case "expires_at":
			var at time.Time
			if at, valid = ParseTime(string(text)); !valid {
				return fmt.Errorf("expires_at: %s; %s", quote(m.Value), ExpectedTime)
			}
			r.ExpiresAt = earlier(r.ExpiresAt, at)
		case "metadata":
			valid, expected = m.Value.Kind() == "object", "a JSON object"
			if valid && len(m.Value) > maxMetadata {
				return fmt.Errorf("metadata: %d bytes; expected %d at most", len(m.Value), maxMetadata)
			}
			var compact bytes.Buffer
			_ = json.Compact(&compact, m.Value) // it is valid
			r.Metadata = compact.Bytes()
		}
		if !valid {
			return fmt.Errorf("%s: %s; expected %s", m.Name, quote(m.Value), expected)
		}
	}
	return nil
}

// quote describes a value in a message: a string by its text, another by its kind.
func quote(value strictjson.Value) string {
	if text, ok := value.Text(); ok {
		return fmt.Sprintf("the string %q", strictjson.Shorten(text))
	}
	return "a JSON " + value.Kind()
}

// backupMember finds the one member that names what to delete. There is at least one.
func backupMember(members strictjson.Object) (name string, value strictjson.Value, err error) {
	for _, spelling := range backupMembers {
		given, ok := members.Get(spelling)
		switch {
		case ok && name != "":
			return "", nil, fmt.Errorf("%s and %s: both given; expected one of them", name, spelling)
		case ok:
			name, value = spelling, given
		}
	}
	return name, value, nil
}

// missingBackup returns what is wrong with an object that does not name what to delete, or "".
func missingBackup(members strictjson.Object) string {
	if namesBackup(members) {
		return ""
	}
	return cmp.Or(misspelled(members), "backup_id: missing; expected the id of a backup")
}

// withBackup returns the request for the backup that a value names.
func withBackup(r deletion.Request, name string, value strictjson.Value) deletion.Request {
	id, ok := value.Text()
	if !ok {
		return Invalid(r, name+": a JSON "+value.Kind()+"; expected a string").Requests[0]
	}
	r.BackupID = id
	if name != "backup_id" || r.Field != "" {
		r.Field = joinField(r.Field, name)
	}
	return r
}

// joinField names a member of an element of a list.
func joinField(element, name string) string {
	return strings.TrimPrefix(element+"."+name, ".")
}

// notARequest says why an object is not a request although it may name a backup, and returns "" for an
// object that may be a request. An event that others can see too, above all an own outcome event, must
// never be taken for a request.
func notARequest(members strictjson.Object) string {
	if what := services.Other(members); what != "" {
		return "it is " + what + ", which asks for no deletion"
	}
	if eventType, ok := members.Text("type"); ok {
		return fmt.Sprintf("it is an event of type %q; expected a plain request", strictjson.Shorten(eventType))
	}
	for _, mark := range []string{"type", "specversion", "detail-type", "TopicArn", "Records", "requestContext", "eventSource", "trigger_type"} {
		if members.Has(mark) {
			return fmt.Sprintf("it is an envelope (it has %q); expected a plain request", mark)
		}
	}
	for _, mark := range []string{"job_id", "status"} {
		if members.Has(mark) {
			return fmt.Sprintf("it is the data of an outcome (it has %q); expected a request", mark)
		}
	}
	return ""
}
