package body

import (
	"fmt"
	"time"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/strictjson"
)

// TickType is the type of the event that asks for what is due on the agenda. It does not begin with
// [deletion.TypePrefix], which is for outcomes and requests.
const TickType = "dds.backup.agenda.tick.v1"

// IsTick reports whether an object is a tick: an EventBridge event or a CloudEvent of [TickType], or an object
// that has nothing but this type.
func IsTick(members strictjson.Object) bool {
	detailType, _ := members.Text("detail-type")
	eventType, _ := members.Text("type")
	return detailType == TickType || eventType == TickType
}

// ReadTick reads a tick, whose members are given. Its data may be anything that does not name a backup, because a
// sender that names one expects a deletion.
func (r Reader) ReadTick(members strictjson.Object, base deletion.Request) Content {
	if !r.Ticks {
		return Invalid(base, fmt.Sprintf("it is a tick (an event of type %q); expected a request, because a tick is taken only from a scheduler or a queue, and not in a list", TickType))
	}
	data, detail := members.Object("data"), members.Object("detail")
	if members.Has("specversion") {
		data, _ = structured(members).data.Object() // another value has no members
	}
	for _, part := range []strictjson.Object{members, data, detail, detail.Object("data")} {
		for _, name := range backupMembers {
			if part.Has(name) {
				return Invalid(base, fmt.Sprintf("it is a tick (an event of type %q) and has the member %q; expected a tick without it, or a request", TickType, name))
			}
		}
	}
	if !members.Has("specversion") && !members.Has("detail-type") {
		for _, m := range members {
			if name := string(m.Name); name != "type" && name != "id" {
				return Invalid(base, fmt.Sprintf("%q: unknown member of a tick; expected only type and id", strictjson.Shorten(name)))
			}
		}
	}
	until, _ := detail.Text("until")
	end, _ := time.Parse(time.RFC3339, until) // zero if there is none
	return Content{Tick: true, TickUntil: end}
}
