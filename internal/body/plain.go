package body

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// ofPlain reads {"backup_id": "…", "project_id": "…", …}, the innermost form of a request.
// {"backup_ids": ["…"]} asks for several deletions.
func ofPlain(members strictjson.Object, base deletion.Request) Content {
	if why := cmp.Or(notARequest(members), missingBackup(members), checkMembers(members)); why != "" {
		return Invalid(base, why)
	}
	r := base
	err := readOptions(members, &r)
	name, value, twice := backupMember(members)
	if err = cmp.Or(err, twice); err != nil {
		return Invalid(base, err.Error())
	}
	c := Content{NamesDryRun: members.Has("dry_run")}
	if name != "backup_ids" {
		c.Requests = []deletion.Request{withBackup(r, name, value)}
		return c
	}
	ids, err := value.Array()
	if err == nil && (len(ids) == 0 || len(ids) > MaxList) {
		err = fmt.Errorf("%d elements; expected 1 to %d", len(ids), MaxList)
	}
	if err != nil {
		return Invalid(r, "backup_ids: "+err.Error())
	}
	c.List, c.Requests = true, make([]deletion.Request, len(ids))
	for i, id := range ids {
		c.Requests[i] = withBackup(r, "backup_ids["+strconv.Itoa(i)+"]", id)
	}
	return c
}

// maxMetadata bounds, in bytes, the metadata of a request as it was sent.
const maxMetadata = 1024

// options are the members of a request that do not name what to delete: the kinds of their values, and
// what is expected.
var options = map[string]struct{ kind, expected string }{
	"project_id":  {"string", "a string that is not empty"},
	"region":      {"string", "a string that is not empty"},
	"traceparent": {"string", "a string"},
	"dry_run":     {"boolean", "true or false"},
	"metadata":    {"object", "a JSON object"},
}

// readOptions reads the members of a request that do not name what to delete.
func readOptions(members strictjson.Object, r *deletion.Request) error {
	for _, m := range members {
		name := string(m.Name)
		option, known := options[name]
		if !known {
			continue
		}
		text, _ := m.Value.Text()
		if m.Value.Kind() != option.kind || (text == "" && (name == "project_id" || name == "region")) {
			return fmt.Errorf("%s: %s; expected %s", name, quote(m.Value), option.expected)
		}
		switch name {
		case "project_id":
			r.ProjectID = text
		case "region":
			r.Region = text
		case "traceparent": // a receiver ignores one that it cannot parse, says W3C Trace Context
			r.TraceParent = cmp.Or(TraceParent(text), r.TraceParent)
		case "dry_run":
			r.DryRun = string(m.Value) == "true"
		case "metadata":
			if len(m.Value) > maxMetadata {
				return fmt.Errorf("metadata: %d bytes; expected %d at most", len(m.Value), maxMetadata)
			}
			var compact bytes.Buffer
			if err := json.Compact(&compact, m.Value); err != nil {
				return fmt.Errorf("metadata: %w", err)
			}
			r.Metadata = compact.Bytes()
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
	for _, spelling := range spellings {
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
	if name, ok := misspelled(members); ok {
		return unknownMember(name)
	}
	return "backup_id: missing; expected the id of a backup"
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
	for _, mark := range []string{"type", "specversion", "detail-type", "TopicArn", "Records", "requestContext", "eventSource"} {
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
