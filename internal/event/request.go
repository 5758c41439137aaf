package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"dds-backup-delete/internal/deletion"
)

// maxList bounds how many backups one message, or one call, may name.
const maxList = 1000

// content is what a text that was addressed to us asks for.
type content struct {
	requests []deletion.Request
	list     bool   // it was asked as a list, and so is answered as one
	echo     string // why an outcome event of ours in it is no request; empty without one
}

// read reads the requests of a text: one in plain JSON or in an envelope. What the message
// that holds it says of all its requests is in base; an envelope may know better.
func (d *Decoder) read(body []byte, base deletion.Request) content {
	return d.openText("the body", body, base, maxEnvelopes)
}

// readList reads the requests of a call, which may be an array of them.
func (d *Decoder) readList(body []byte, base deletion.Request) content {
	if parse(body) != nil || kind(body) != "array" {
		return d.read(body, base)
	}
	return d.openList("the body", body, base, maxEnvelopes)
}

// plain reads {"backup_id": "…", "project_id": "…", "region": "…"}, the innermost form of a
// request. {"backup_ids": ["…"]} asks for several deletions.
func plain(members object, base deletion.Request) content {
	if envelope := foreign(members); envelope != "" {
		return refuse(base, envelope)
	}
	r := base
	for _, optional := range []struct {
		name  string
		field *string
	}{{"project_id", &r.ProjectID}, {"region", &r.Region}} {
		if value, given := members.get(optional.name); given {
			if *optional.field, _ = members.text(optional.name); *optional.field == "" {
				return refuse(base, optional.name+": a JSON "+kind(value)+", want a string that is not empty")
			}
		}
	}
	if trace, _ := members.text("traceparent"); traceParent(trace) != "" {
		r.TraceParent = trace
	}
	name, value, err := backupMember(members)
	switch {
	case err != nil:
		return refuse(base, err.Error())
	case name == "backup_ids":
		return several(value, r)
	}
	return content{requests: []deletion.Request{named(r, name, value)}}
}

// spellings are the members that name what to delete: ours, that of the DDS page, and a list.
var spellings = []string{"backup_id", "backups_id", "backup_ids"}

func namesBackup(members object) bool { return slices.ContainsFunc(spellings, members.has) }

// backupMember finds the one member that names what to delete.
func backupMember(members object) (name string, value json.RawMessage, err error) {
	for _, spelling := range spellings {
		given, ok := members.get(spelling)
		switch {
		case ok && name != "":
			return "", nil, fmt.Errorf("%s and %s: both given, want one", name, spelling)
		case ok:
			name, value = spelling, given
		}
	}
	if name == "" {
		return "", nil, errors.New("backup_id: missing, want the id of a backup")
	}
	return name, value, nil
}

// several reads a list of ids, one request each.
func several(value json.RawMessage, base deletion.Request) content {
	ids, err := arrayOf(value)
	if err == nil && (len(ids) == 0 || len(ids) > maxList) {
		err = fmt.Errorf("%d elements, want 1 to %d", len(ids), maxList)
	}
	if err != nil {
		return refuse(base, "backup_ids: "+err.Error())
	}
	c := content{list: true, requests: make([]deletion.Request, len(ids))}
	for i, id := range ids {
		c.requests[i] = named(base, "backup_ids["+strconv.Itoa(i)+"]", id)
	}
	return c
}

// named returns the request for the backup that a value names.
func named(r deletion.Request, name string, value json.RawMessage) deletion.Request {
	if kind(value) != "string" {
		return refuse(r, name+": a JSON "+kind(value)+", want a string").requests[0]
	}
	r.BackupID = string(unquote(value))
	if name != "backup_id" || r.Field != "" {
		r.Field = within(r.Field, name)
	}
	return r
}

// within names a member of a place in a list.
func within(place, name string) string {
	if place == "" {
		return name
	}
	return place + "." + name
}

// foreign says what an object is that only happens to name a backup, and "" where it may be
// a request. What asks for a deletion is narrow: an event that others can see too, our own
// outcome events first of all, must never be taken for a request.
func foreign(members object) string {
	if eventType, ok := members.text("type"); ok {
		return fmt.Sprintf("it is an event of type %q, want a plain request", shorten(eventType))
	}
	for _, mark := range []string{"type", "specversion", "detail-type", "TopicArn", "Records", "requestContext"} {
		if members.has(mark) {
			return fmt.Sprintf("it is an envelope (it has %q), want a plain request", mark)
		}
	}
	for _, mark := range []string{"job_id", "status"} {
		if members.has(mark) {
			return fmt.Sprintf("it is the data of an outcome (it has %q), want a request", mark)
		}
	}
	return ""
}

// refuse is the request that a part of a payload stands for which is none: it keeps who asked,
// and says why.
func refuse(base deletion.Request, why string) content {
	base.ProjectID, base.Region, base.BackupID = "", "", ""
	if base.Field != "" {
		why = base.Field + ": " + why
	}
	base.Err = &deletion.Error{Class: deletion.ClassInvalid, Message: why}
	return content{requests: []deletion.Request{base}}
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

// traceHeader returns the fields of an X-Ray trace header that are carried on, as
// Root=1-…;Parent=…;Sampled=1, and "" where it is none. A load balancer adds a field of its own, and
// a queue refuses a message with a header that it cannot read.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
func traceHeader(s string) string {
	const most = 512
	if len(s) > most {
		return ""
	}
	var root string
	var rest []string
	for field := range strings.SplitSeq(s, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch {
		case name == "Root" && isTraceID(value):
			root = "Root=" + value
		case name == "Parent" && len(value) == 16 && isHex(value), name == "Sampled" && (value == "0" || value == "1"):
			rest = append(rest, name+"="+value)
		}
	}
	if root == "" {
		return ""
	}
	return strings.Join(append([]string{root}, rest...), ";")
}

// isTraceID reports whether a text is an X-Ray trace id, as 1-<8 hex>-<24 hex>.
func isTraceID(s string) bool {
	return len(s) == 35 && s[:2] == "1-" && s[10] == '-' && isHex(s[2:10]) && isHex(s[11:])
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }

// maxID bounds, in characters, an id that an event or an envelope brings.
const maxID = 1024

// isID reports whether a text can name a request: whatever it says goes into events, into log
// lines, into the ledger and into a queue, which takes no noncharacter. CloudEvents allows those as
// little as control characters.
func isID(s string) bool {
	return s != "" && utf8.RuneCountInString(s) <= maxID && !strings.ContainsFunc(s, func(c rune) bool {
		return unicode.IsControl(c) || unicode.Is(unicode.Noncharacter_Code_Point, c)
	})
}
