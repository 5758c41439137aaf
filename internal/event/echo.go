package event

import (
	"bytes"

	"dds-backup-delete/internal/deletion"
)

// published are the statuses whose outcomes are published.
var published = []deletion.Status{
	deletion.Accepted, deletion.Unconfirmed, deletion.NotFound, deletion.Rejected, deletion.Simulated,
}

// isEcho reports whether a body that is no request holds an outcome event of ours, bare or in
// whatever envelope, or the data of one. To reject it would publish another event, which
// would come back too: a loop without end. So it is left alone.
func isEcho(body []byte) bool {
	for _, status := range published {
		if bytes.Contains(body, []byte(deletion.EventType(status))) {
			return true
		}
	}
	members, err := parseObject(body)
	if err != nil {
		return false
	}
	_, hasID := members.text("request_id")
	got, _ := members.text("status")
	for _, status := range published {
		if hasID && got == string(status) {
			return true
		}
	}
	return false
}
