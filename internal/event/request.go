package event

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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

// read reads the requests of a text that is an object: a plain request or an envelope. What the
// message that holds it says of all its requests is in base; an envelope may say it more exactly.
func (d *Decoder) read(body []byte, base deletion.Request) content {
	return openText("the body", body, base, maxEnvelopes, d.open)
}

// readList reads the requests of a text that is an object or an array of objects.
func (d *Decoder) readList(body []byte, base deletion.Request) content {
	return openText("the body", body, base, maxEnvelopes, d.openAny)
}

// plain reads {"backup_id": "…", "project_id": "…", …}, the innermost form of a request.
// {"backup_ids": ["…"]} asks for several deletions.
func plain(members object, base deletion.Request) content {
	if why := cmp.Or(notARequest(members), missingBackup(members), checkMembers(members)); why != "" {
		return refuse(base, why)
	}
	r := base
	if err := readOptions(members, &r); err != nil {
		return refuse(base, err.Error())
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

// maxMetadata bounds, in bytes, the metadata of a request as it was sent.
const maxMetadata = 1024

// readOptions reads the members of a request that do not name what to delete.
func readOptions(members object, r *deletion.Request) error {
	for _, m := range members {
		name, given := string(m.name), kind(m.value)
		switch name {
		case "project_id", "region":
			if given != "string" || len(m.value) == len(`""`) {
				return fmt.Errorf("%s: %s; expected a string that is not empty", name, quoteValue(m.value))
			}
			if name == "region" {
				r.Region = string(unquote(m.value))
			} else {
				r.ProjectID = string(unquote(m.value))
			}
		case "traceparent": // a receiver ignores one that it cannot parse, says W3C Trace Context
			if given != "string" {
				return fmt.Errorf("traceparent: %s; expected a string", quoteValue(m.value))
			}
			if trace := traceParent(string(unquote(m.value))); trace != "" {
				r.TraceParent = trace
			}
		case "dry_run":
			if given != "boolean" {
				return fmt.Errorf("dry_run: %s; expected true or false", quoteValue(m.value))
			}
			r.DryRun = string(m.value) == "true"
		case "metadata":
			if given != "object" {
				return fmt.Errorf("metadata: %s; expected a JSON object", quoteValue(m.value))
			}
			if len(m.value) > maxMetadata {
				return fmt.Errorf("metadata: %d bytes; expected %d at most", len(m.value), maxMetadata)
			}
			var compact bytes.Buffer
			if err := json.Compact(&compact, m.value); err != nil {
				return fmt.Errorf("metadata: %w", err)
			}
			r.Metadata = compact.Bytes()
		}
	}
	return nil
}

// quoteValue describes a value in a message: a string with its text, another by its kind.
func quoteValue(value json.RawMessage) string {
	if kind(value) == "string" {
		return fmt.Sprintf("the string %q", shorten(string(unquote(value))))
	}
	return "a JSON " + kind(value)
}

// spellings are the members that name what to delete: ours, that of the DDS page, and a list.
var spellings = []string{"backup_id", "backups_id", "backup_ids"}

func namesBackup(members object) bool { return slices.ContainsFunc(spellings, members.has) }

// backupMember finds the one member that names what to delete. There is one at least.
func backupMember(members object) (name string, value json.RawMessage, err error) {
	for _, spelling := range spellings {
		given, ok := members.get(spelling)
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
func missingBackup(members object) string {
	if namesBackup(members) {
		return ""
	}
	if name, ok := misspelled(members); ok {
		return unknownMember(name)
	}
	return "backup_id: missing; expected the id of a backup"
}

// several reads a list of ids, one request each.
func several(value json.RawMessage, base deletion.Request) content {
	ids, err := arrayOf(value)
	if err == nil && (len(ids) == 0 || len(ids) > maxList) {
		err = fmt.Errorf("%d elements; expected 1 to %d", len(ids), maxList)
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
		return refuse(r, name+": a JSON "+kind(value)+"; expected a string").requests[0]
	}
	r.BackupID = string(unquote(value))
	if name != "backup_id" || r.Field != "" {
		r.Field = joinField(r.Field, name)
	}
	return r
}

// joinField names a member of a place in a list.
func joinField(place, name string) string {
	if place == "" {
		return name
	}
	return place + "." + name
}

// notARequest says what an object is that is no request although it may name a backup, and
// returns "" for an object that may be one. An event that others can see too, our own outcome
// events first of all, must never be taken for a request.
func notARequest(members object) string {
	if what := otherService(members); what != "" {
		return "it is " + what + ", which asks for no deletion"
	}
	if eventType, ok := members.text("type"); ok {
		return fmt.Sprintf("it is an event of type %q; expected a plain request", shorten(eventType))
	}
	for _, mark := range []string{"type", "specversion", "detail-type", "TopicArn", "Records", "requestContext", "eventSource"} {
		if members.has(mark) {
			return fmt.Sprintf("it is an envelope (it has %q); expected a plain request", mark)
		}
	}
	for _, mark := range []string{"job_id", "status"} {
		if members.has(mark) {
			return fmt.Sprintf("it is the data of an outcome (it has %q); expected a request", mark)
		}
	}
	return ""
}

// refuse returns content with one request that carries an Invalid error. It keeps the id and the
// trace, so that the rejection can be reported.
func refuse(base deletion.Request, why string) content {
	base.ProjectID, base.Region, base.BackupID, base.DryRun, base.Metadata = "", "", "", false, nil
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

// cleanID returns an id or a name that a source brings, and a digest of one that isID refuses.
func cleanID(s string) string {
	if s == "" || isID(s) {
		return s
	}
	digest := sha256.Sum256([]byte(s))
	return hex.EncodeToString(digest[:16])
}
