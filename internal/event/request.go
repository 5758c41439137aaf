package event

import (
	"errors"
	"fmt"
	"strings"

	"dds-backup-delete/internal/deletion"
)

// parseRequest reads a request in plain JSON, as {"backup_id": "…", "project_id": "…",
// "region": "…"}, from a body that was addressed to us. What is wrong with it is told by the request's Err.
func parseRequest(body []byte) deletion.Request {
	members, err := parseObject(body)
	if err != nil {
		return refused("the body is " + err.Error())
	}
	return requestOf(members)
}

// requestOf reads a request from the members of its object.
func requestOf(members object) deletion.Request {
	if envelope := foreign(members); envelope != "" {
		return refused(envelope)
	}
	var r deletion.Request
	var err error
	if r.BackupID, err = backupID(members); err != nil {
		return refused(err.Error())
	}
	for _, optional := range []struct {
		name  string
		field *string
	}{{"project_id", &r.ProjectID}, {"region", &r.Region}} {
		if value, given := members.get(optional.name); given {
			if *optional.field, _ = members.text(optional.name); *optional.field == "" {
				return refused(optional.name + ": a JSON " + kind(value) + ", want a string that is not empty")
			}
		}
	}
	return r
}

// foreign says what an object is that only happens to name a backup, and "" where it may be
// a request. What asks for a deletion is narrow: an event that others can see too, our own
// outcome events first of all, must never be taken for a request.
func foreign(members object) string {
	if eventType, ok := members.text("type"); ok {
		return fmt.Sprintf("it is an event of type %q, want a plain request", shorten(eventType))
	}
	for _, mark := range []string{"specversion", "detail-type", "TopicArn", "Records", "requestContext"} {
		if _, ok := members.get(mark); ok {
			return fmt.Sprintf("it is an envelope (it has %q), want a plain request", mark)
		}
	}
	for _, mark := range []string{"job_id", "status"} {
		if _, ok := members.get(mark); ok {
			return fmt.Sprintf("it is the data of an outcome (it has %q), want a request", mark)
		}
	}
	return ""
}

// backupID reads the backup's id, in our spelling or in that of the DDS page.
func backupID(members object) (string, error) {
	ours, isOurs := members.get("backup_id")
	page, isPage := members.get("backups_id")
	name, value := "backup_id", ours
	switch {
	case isOurs && isPage:
		return "", errors.New("backup_id and backups_id: both given, want one")
	case isPage:
		name, value = "backups_id", page
	case !isOurs:
		return "", errors.New("backup_id: missing, want the id of a backup")
	}
	id, ok := members.text(name)
	if !ok {
		return "", fmt.Errorf("%s: a JSON %s, want a string", name, kind(value))
	}
	return id, nil
}

// refused is the request that a part of a payload stands for which is none.
func refused(why string) deletion.Request {
	return deletion.Request{Err: &deletion.Error{Class: deletion.ClassInvalid, Message: why}}
}

// traceParent returns s where it is a W3C trace context, as 00-<32 hex>-<16 hex>-<2 hex>, else "".
// https://www.w3.org/TR/trace-context/#traceparent-header
func traceParent(s string) string {
	if len(s) != 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return ""
	}
	if strings.Trim(s[:2]+s[3:35]+s[36:52]+s[53:], "0123456789abcdef") != "" {
		return ""
	}
	return s
}
